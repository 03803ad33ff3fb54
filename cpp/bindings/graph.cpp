#include <kit/graph_diff.h>

#include <pybind11/stl.h>

#include "bind.h"

namespace kit {

void bind_graph(py::module_& module) {
  py::class_<Graph>(module, "Graph").def("json", &Graph::json);
  py::class_<GraphDiff>(module, "GraphDiff").def("json", &GraphDiff::json).def("str", &GraphDiff::str);
  module.def(
      "graph",
      [](const Model& model, const std::string& stage, const std::vector<Tensor>& inputs) {
        return model.graph(stage_from_name(stage), inputs);
      },
      py::arg("model"), py::arg("stage"), py::arg("inputs"), py::call_guard<py::gil_scoped_release>());
  module.def(
      "stage_before",
      [](const std::string& stage, bool frozen) {
        return name(stage_before(stage_from_name(stage), frozen));
      },
      py::arg("stage"), py::arg("frozen"));
  module.def("diff", &diff, py::arg("before"), py::arg("after"));
}

}  // namespace kit
