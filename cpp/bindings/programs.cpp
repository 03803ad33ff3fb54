#include <pybind11/stl.h>

#include <kit/programs.h>

#include "bind.h"

namespace kit {

void bind_programs(py::module_& module) {
  py::class_<ProgramStatus>(module, "ProgramStatus")
      .def_property_readonly("engine", [](const ProgramStatus& status) { return status.program.engine; })
      .def_property_readonly("target", [](const ProgramStatus& status) { return status.program.target; })
      .def_readonly("obstacle", &ProgramStatus::obstacle)
      .def_readonly("verified", &ProgramStatus::verified)
      .def_readonly("size", &ProgramStatus::size)
      .def_readonly("constants", &ProgramStatus::constants);
  module.def("programs", &programs, py::arg("archive"));
  module.def(
      "obstacle_here",
      [](const std::string& engine, const std::string& target, const std::string& torch) {
        return obstacle_here({engine, target, torch});
      },
      py::arg("engine"), py::arg("target"), py::arg("torch"));
}

}  // namespace kit
