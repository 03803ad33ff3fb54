#include <pybind11/stl.h>

#include "bind.h"

namespace kit {

void bind_fusion(py::module_& module) {
  py::class_<FusionReport>(module, "FusionReport")
      .def("json", &FusionReport::json)
      .def("str", &FusionReport::str, py::arg("source"));
  module.def("fusion", &Model::fusion, py::arg("model"), py::arg("inputs"), py::arg("calls"),
             py::call_guard<py::gil_scoped_release>());
}

}  // namespace kit
