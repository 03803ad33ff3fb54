#include "bench/groups.h"

#include <pybind11/stl.h>

#include "bench/bare_module.h"
#include "bench/c_call.h"
#include "bind.h"

namespace kit {

void bind_bench(py::module_& module) {
  module.def(
      "time_model",
      [](const Model& model, const std::vector<Tensor>& inputs, std::size_t groups, std::size_t calls) {
        return bench::time_groups([&] { model.predict(inputs); }, groups, calls);
      },
      py::arg("model"), py::arg("inputs"), py::arg("groups"), py::arg("calls"),
      py::call_guard<py::gil_scoped_release>());
  module.def(
      "time_model_into",
      [](const Model& model, const std::vector<Tensor>& inputs, std::size_t groups, std::size_t calls) {
        const std::vector<Tensor> outputs = model.predict(inputs);
        return bench::time_groups([&] { model.predict(inputs, outputs); }, groups, calls);
      },
      py::arg("model"), py::arg("inputs"), py::arg("groups"), py::arg("calls"),
      py::call_guard<py::gil_scoped_release>());
  module.def(
      "time_c_call",
      [](std::uintptr_t function, const std::vector<std::uintptr_t>& arguments, bool gives_pointer,
         std::size_t groups, std::size_t calls) {
        return bench::time_groups(bench::CCall{function, arguments, gives_pointer}.bound(), groups, calls);
      },
      py::arg("function"), py::arg("arguments"), py::arg("gives_pointer"), py::arg("groups"),
      py::arg("calls"), py::call_guard<py::gil_scoped_release>());
  py::class_<bench::BareModule>(module, "BareModule")
      .def(py::init<const std::string&, const std::string&, const std::string&>(), py::arg("path"),
           py::arg("method"), py::arg("form"))
      .def("run", &bench::BareModule::run, py::arg("inputs"), py::call_guard<py::gil_scoped_release>())
      .def("time", &bench::BareModule::time, py::arg("inputs"), py::arg("groups"), py::arg("calls"),
           py::call_guard<py::gil_scoped_release>());
}

}  // namespace kit
