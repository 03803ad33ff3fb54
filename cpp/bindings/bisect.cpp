#include <map>

#include <pybind11/stl.h>

#include <kit/bisect.h>

#include "bind.h"

namespace kit {

void bind_bisect(py::module_& module) {
  py::class_<Bisection>(module, "Bisection")
      .def_property_readonly("json", &Bisection::json)
      .def_property_readonly("program",
                             [](const Bisection& found) -> std::optional<py::bytes> {
                               return found.repro ? std::optional<py::bytes>(found.repro->program)
                                                  : std::nullopt;
                             })
      .def_property_readonly("graph",
                             [](const Bisection& found) -> std::optional<std::string> {
                               return found.repro ? std::optional(found.repro->graph) : std::nullopt;
                             })
      .def_property_readonly("inputs", [](const Bisection& found) {
        return found.repro ? found.repro->inputs : std::vector<Tensor>();
      });

  module.def(
      "bisect_fusion",
      [](const Model& model, const std::vector<std::vector<Tensor>>& cases, int runs,
         const std::map<std::string, std::pair<double, double>>& tolerances,
         std::optional<std::uint64_t> seed) {
        BisectOptions options{.runs = runs, .seed = seed};
        for (const auto& [dtype, pair] : tolerances)
          options.tolerances[dtype_from_name(dtype).value()] = {.rtol = pair.first, .atol = pair.second};
        return model.bisect_fusion(cases, options);
      },
      py::arg("model"), py::arg("cases"), py::arg("runs"), py::arg("tolerances"),
      py::arg("seed") = py::none(), py::call_guard<py::gil_scoped_release>());
}

}  // namespace kit
