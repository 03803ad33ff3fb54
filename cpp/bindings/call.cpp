#include "bind.h"

#include <structmember.h>

#include <cstddef>

#include <pybind11/gil_simple.h>

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

/// What Python's Model derives from: an object that is called, without a frame of Python's where its native
/// model takes the arguments as they are.
struct Caller {
  PyObject head;
  PyObject* native;  ///< a Model, once it is set
  char direct;       ///< whether the native model is to be tried first
};

PyTypeObject* model_type = nullptr;

PyObject* call_caller(PyObject* self, PyObject* arguments, PyObject* keywords) {
  const auto* caller = reinterpret_cast<Caller*>(self);
  const bool positional = keywords == nullptr || PyDict_GET_SIZE(keywords) == 0;
  if (positional && caller->direct != 0 && caller->native != nullptr &&
      Py_TYPE(caller->native) == model_type) {
    const auto native = py::reinterpret_borrow<py::object>(caller->native);
    PyObject* result = call_method(native.ptr(), arguments);
    if (result != Py_None) return result;
    Py_DECREF(result);
  }
  const auto general = py::reinterpret_steal<py::object>(PyObject_GetAttrString(self, "_general"));
  return general ? PyObject_Call(general.ptr(), arguments, keywords) : nullptr;
}

void delete_caller(PyObject* self) {
  Py_XDECREF(reinterpret_cast<Caller*>(self)->native);
  Py_TYPE(self)->tp_free(self);
}

PyMemberDef members[] = {{"_native", T_OBJECT_EX, offsetof(Caller, native), 0, nullptr},
                         {"_direct", T_BOOL, offsetof(Caller, direct), 0, nullptr},
                         {}};

PyTypeObject caller_type = [] {
  PyTypeObject type = {};
  type.ob_base = PyVarObject{PyObject_HEAD_INIT(nullptr) 0};
  type.tp_name = "kit._native.Caller";
  type.tp_basicsize = sizeof(Caller);
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE;
  type.tp_doc = "Calls the native model, or `_general` for what that does not take.";
  type.tp_new = PyType_GenericNew;
  type.tp_call = call_caller;
  type.tp_dealloc = delete_caller;
  type.tp_members = members;
  return type;
}();

}  // namespace

// A small model's call takes less time than pybind11's way to a function: its search for an overload that
// takes the arguments, for the type of each, and a list for either side.
void bind_call(py::module_& module) {
  const py::object type = module.attr("Model");
  auto method = py::reinterpret_steal<py::object>(
      PyDescr_NewMethod(reinterpret_cast<PyTypeObject*>(type.ptr()), &definition));
  if (!method) throw py::error_already_set();
  type.attr("call") = method;
  model_type = reinterpret_cast<PyTypeObject*>(type.ptr());
  if (PyType_Ready(&caller_type) < 0) throw py::error_already_set();
  module.attr("Caller") = py::handle(reinterpret_cast<PyObject*>(&caller_type));
}

}  // namespace kit
