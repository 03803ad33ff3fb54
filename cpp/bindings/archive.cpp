#include <pybind11/stl.h>

#include "bind.h"

namespace kit {

void bind_archive(py::module_& module) {
  py::class_<Archive>(module, "Archive")
      .def_static("open", &Archive::open, py::arg("path"), py::call_guard<py::gil_scoped_release>())
      .def_property_readonly("path", &Archive::path)
      .def_property_readonly("size", [](const Archive& archive) { return archive.bytes().size(); })
      .def_property_readonly("member_names", &Archive::member_names)
      .def_property_readonly("manifest_json",
                             [](const Archive& archive) -> std::optional<std::string> {
                               const Manifest* manifest = archive.manifest();
                               return manifest != nullptr ? std::optional(manifest->json) : std::nullopt;
                             })
      .def(
          "cases",
          [](const Archive& archive, const std::string& method) {
            std::vector<std::pair<std::vector<Tensor>, std::vector<Tensor>>> pairs;
            for (Case& one : archive.cases(method))
              pairs.emplace_back(std::move(one.inputs), std::move(one.outputs));
            return pairs;
          },
          py::arg("method") = "forward");
}

}  // namespace kit
