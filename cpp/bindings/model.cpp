#include <pybind11/stl.h>

#include "bind.h"

namespace kit {

void bind_model(py::module_& module) {
  py::class_<Model>(module, "Model")
      .def_static(
          "load",
          [](const Archive& archive, const std::string& engine, const std::string& device, int threads,
             const std::string& method) {
            return Model::load(archive, {engine_from_name(engine), device, threads, method});
          },
          py::arg("archive"), py::arg("engine") = "auto", py::arg("device") = "cpu", py::arg("threads") = 0,
          py::arg("method") = "forward", py::call_guard<py::gil_scoped_release>())
      .def("predict", &Model::predict, py::arg("inputs"), py::call_guard<py::gil_scoped_release>())
      .def("seed", &Model::seed, py::arg("seed"))
      .def_property_readonly("method", &Model::method)
      .def_property_readonly("engine", [](const Model& model) { return name(model.engine()); })
      .def_property_readonly("notes", &Model::notes)
      .def_property_readonly("warnings", &Model::warnings)
      .def_property_readonly("input_names", [](const Model& model) {
        std::vector<std::string> names;
        for (const TensorSpec& spec : model.signature().inputs) names.push_back(spec.name);
        return names;
      });
}

}  // namespace kit
