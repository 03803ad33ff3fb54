#pragma once

#include <pybind11/pybind11.h>

#include <kit/archive.h>
#include <kit/compare.h>
#include <kit/error.h>
#include <kit/model.h>
#include <kit/verify.h>

namespace py = pybind11;

namespace kit {

void bind_errors(py::module_& module);
void bind_compare(py::module_& module);
void bind_archive(py::module_& module);
void bind_model(py::module_& module);
void bind_call(py::module_& module);
void bind_fusion(py::module_& module);
void bind_graph(py::module_& module);
void bind_bisect(py::module_& module);
void bind_programs(py::module_& module);
void bind_bench(py::module_& module);
void bind_stack_notes(py::module_& module);

/// Whether the object is a torch.Tensor.
bool is_python_tensor(py::handle object);

/// A view of a torch.Tensor, which it keeps alive.
Tensor tensor_from_python(py::handle object);

/// A new torch.Tensor over the memory of the tensor.
py::handle tensor_to_python(const Tensor& tensor);

}  // namespace kit

namespace pybind11::detail {

/// torch.Tensor to kit::Tensor and back, over the same memory. Torch's own headers, which take most of a
/// minute to parse, stay in tensor.cpp.
template <>
struct type_caster<kit::Tensor> {
  PYBIND11_TYPE_CASTER(kit::Tensor, const_name("torch.Tensor"));

  bool load(handle source, bool /*convert*/) {
    if (!kit::is_python_tensor(source)) return false;
    value = kit::tensor_from_python(source);
    return true;
  }

  static handle cast(const kit::Tensor& tensor, return_value_policy /*policy*/, handle /*parent*/) {
    return kit::tensor_to_python(tensor);
  }
};

}  // namespace pybind11::detail
