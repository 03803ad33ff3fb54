#include <torch/csrc/autograd/python_variable.h>

#include <kit/torch.h>

#include "bind.h"

namespace kit {

bool is_python_tensor(py::handle object) { return THPVariable_Check(object.ptr()); }

Tensor tensor_from_python(py::handle object) { return from_torch(THPVariable_Unpack(object.ptr())); }

py::handle tensor_to_python(const Tensor& tensor) { return THPVariable_Wrap(to_torch(tensor)); }

}  // namespace kit
