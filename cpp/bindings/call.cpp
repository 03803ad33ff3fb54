#include <pybind11/gil_simple.h>

#include "bind.h"

namespace kit {
namespace {

py::object outputs_to_python(const std::vector<Tensor>& outputs) {
  const auto convert = [](const Tensor& output) {
    auto converted = py::reinterpret_steal<py::object>(tensor_to_python(output));
    if (!converted) throw py::error_already_set();
    return converted;
  };
  if (outputs.size() == 1) return convert(outputs.front());
  py::tuple result(outputs.size());
  for (std::size_t i = 0; i < outputs.size(); ++i)
    PyTuple_SET_ITEM(result.ptr(), static_cast<py::ssize_t>(i), convert(outputs[i]).release().ptr());
  return result;
}

py::object call(const Model& model, const py::tuple& arguments) {
  if (arguments.size() != model.signature().inputs.size()) return py::none();
  std::vector<Tensor> inputs;
  inputs.reserve(arguments.size());
  for (const py::handle argument : arguments) {
    if (!is_python_tensor(argument)) return py::none();
    inputs.push_back(tensor_from_python(argument));
  }
  std::vector<Tensor> outputs;
  {
    const py::gil_scoped_release_simple released;
    outputs = model.predict(inputs);
  }
  return outputs_to_python(outputs);
}

/// The descriptor has checked that `self` is a Model of Python's.
PyObject* call_method(PyObject* self, PyObject* arguments) {
  try {
    if (!PyTuple_Check(arguments)) throw py::type_error("call takes a tuple");
    const auto held = reinterpret_cast<py::detail::instance*>(self)->get_value_and_holder();
    const auto* model = static_cast<const Model*>(held.value_ptr());
    if (model == nullptr) throw py::type_error("the model was not loaded; use Model.load");
    return call(*model, py::reinterpret_borrow<py::tuple>(arguments)).release().ptr();
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (...) {
    py::detail::try_translate_exceptions();
  }
  return nullptr;
}

PyMethodDef definition = {
    "call", call_method, METH_O,
    "Outputs for a tuple of arguments: a tensor if there is one, else a tuple. None if the "
    "arguments are not the model's inputs one by one."};

}  // namespace

// A small model's call takes less time than pybind11's way to a function: its search for an overload that
// takes the arguments, for the type of each, and a list for either side.
void bind_call(py::module_& module) {
  const py::object type = module.attr("Model");
  auto method = py::reinterpret_steal<py::object>(
      PyDescr_NewMethod(reinterpret_cast<PyTypeObject*>(type.ptr()), &definition));
  if (!method) throw py::error_already_set();
  type.attr("call") = method;
}

}  // namespace kit
