#include <pybind11/stl.h>

#include "bind.h"

namespace kit {

void bind_compare(py::module_& module) {
  py::class_<Difference>(module, "Difference")
      .def_readonly("within", &Difference::within)
      .def_readonly("bit_equal", &Difference::bit_equal)
      .def_readonly("max_abs", &Difference::max_abs)
      .def_readonly("max_rel", &Difference::max_rel)
      .def_readonly("max_ulp", &Difference::max_ulp)
      .def_readonly("mismatches", &Difference::mismatches)
      .def_readonly("first", &Difference::first)
      .def_readonly("reason", &Difference::reason);

  module.def(
      "compare",
      [](const Tensor& actual, const Tensor& expected, double rtol, double atol) {
        return compare(actual, expected, Tolerance{rtol, atol});
      },
      py::arg("actual"), py::arg("expected"), py::arg("rtol"), py::arg("atol"));

  py::class_<OutputResult>(module, "OutputResult")
      .def_readonly("case_index", &OutputResult::case_index)
      .def_readonly("output", &OutputResult::output)
      .def_readonly("difference", &OutputResult::difference);

  py::class_<Report>(module, "Report")
      .def_property_readonly("engine", [](const Report& report) { return name(report.engine); })
      .def_readonly("method", &Report::method)
      .def_readonly("cases", &Report::cases)
      .def_readonly("results", &Report::results)
      .def_property_readonly("passed", &Report::passed)
      .def_property_readonly("bit_equal", &Report::bit_equal)
      .def_property_readonly("max_abs", &Report::max_abs)
      .def_property_readonly("max_rel", &Report::max_rel);

  module.def("verify", &verify, py::arg("model"), py::arg("archive"),
             py::call_guard<py::gil_scoped_release>());
}

}  // namespace kit
