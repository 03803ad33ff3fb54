#pragma once

#include <torch/csrc/autograd/python_variable.h>

#include <kit/archive.h>
#include <kit/compare.h>
#include <kit/error.h>
#include <kit/model.h>
#include <kit/torch.h>
#include <kit/verify.h>

namespace kit {

void bind_errors(py::module_& module);
void bind_compare(py::module_& module);
void bind_archive(py::module_& module);
void bind_model(py::module_& module);

}  // namespace kit

namespace pybind11::detail {

/// torch.Tensor to kit::Tensor and back, over the same memory.
template <>
struct type_caster<kit::Tensor> {
  PYBIND11_TYPE_CASTER(kit::Tensor, const_name("torch.Tensor"));

  bool load(handle source, bool /*convert*/) {
    if (!THPVariable_Check(source.ptr())) return false;
    value = kit::from_torch(THPVariable_Unpack(source.ptr()));
    return true;
  }

  static handle cast(const kit::Tensor& tensor, return_value_policy /*policy*/, handle /*parent*/) {
    return THPVariable_Wrap(kit::to_torch(tensor));
  }
};

}  // namespace pybind11::detail
