#include <pybind11/functional.h>
#include <pybind11/stl.h>

#include "bind.h"

namespace kit {

void bind_model(py::module_& module) {
  py::class_<Configuration>(module, "Configuration")
      .def(py::init([](std::optional<bool> fusion, const std::optional<std::string>& executor,
                       std::optional<bool> freeze, std::optional<bool> tf32, std::optional<int> threads,
                       std::optional<int> interop_threads, std::optional<int> static_depth,
                       std::optional<int> dynamic_depth) {
             Configuration result{.fusion = fusion,
                                  .freeze = freeze,
                                  .tf32 = tf32,
                                  .threads = threads,
                                  .interop_threads = interop_threads,
                                  .static_depth = static_depth,
                                  .dynamic_depth = dynamic_depth};
             if (executor) result.executor = executor_from_name(*executor);
             return result;
           }),
           py::kw_only(), py::arg("fusion") = py::none(), py::arg("executor") = py::none(),
           py::arg("freeze") = py::none(), py::arg("tf32") = py::none(), py::arg("threads") = py::none(),
           py::arg("interop_threads") = py::none(), py::arg("static_depth") = py::none(),
           py::arg("dynamic_depth") = py::none());
  py::class_<WarmUp>(module, "WarmUp")
      .def_readonly("sizes", &WarmUp::sizes)
      .def_readonly("calls", &WarmUp::calls)
      .def_readonly("compilations", &WarmUp::compilations)
      .def_readonly("milliseconds", &WarmUp::milliseconds)
      .def_readonly("settled", &WarmUp::settled)
      .def("__str__", &WarmUp::str);
  py::class_<Model>(module, "Model")
      .def_static(
          "load",
          [](const Archive& archive, const std::string& engine, const std::string& device,
             const std::string& method, const Configuration& configuration, bool warm_up,
             const std::map<std::string, std::vector<std::int64_t>>& warm_up_sizes,
             const std::function<void(const std::string&)>& log, const std::string& target) {
            return Model::load(archive, {engine_from_name(engine), device, method, configuration, warm_up,
                                         warm_up_sizes, log, target});
          },
          py::arg("archive"), py::arg("engine") = "auto", py::arg("device") = "cpu",
          py::arg("method") = "forward", py::arg("configuration") = Configuration(),
          py::arg("warm_up") = false,
          py::arg("warm_up_sizes") = std::map<std::string, std::vector<std::int64_t>>(),
          py::arg("log") = py::none(), py::arg("target") = "", py::call_guard<py::gil_scoped_release>())
      .def("predict", py::overload_cast<const std::vector<Tensor>&>(&Model::predict, py::const_),
           py::arg("inputs"), py::call_guard<py::gil_scoped_release>())
      .def("warm_up", &Model::warm_up, py::arg("inputs"), py::call_guard<py::gil_scoped_release>())
      .def("update_weights", &Model::update_weights, py::arg("path"),
           py::call_guard<py::gil_scoped_release>())
      .def("seed", &Model::seed, py::arg("seed"))
      .def_property_readonly("method", &Model::method)
      .def_property_readonly("engine", [](const Model& model) { return name(model.engine()); })
      .def_property_readonly("target", &Model::target)
      .def_property_readonly("configuration_json",
                             [](const Model& model) { return model.configuration().json(); })
      .def_property_readonly("warmed_up", &Model::warmed_up)
      .def_property_readonly("notes", &Model::notes)
      .def_property_readonly("warnings", &Model::warnings)
      .def_property_readonly("input_names", [](const Model& model) {
        std::vector<std::string> names;
        for (const TensorSpec& spec : model.signature().inputs) names.push_back(spec.name);
        return names;
      });
}

}  // namespace kit
