#include <pybind11/stl.h>

#include "bind.h"

namespace kit {
namespace {

/// The bytes of a member, with the archive that they are of.
struct Member {
  Archive archive;
  std::span<const std::byte> bytes;
};

}  // namespace

void bind_archive(py::module_& module) {
  py::class_<Member>(module, "Member", py::buffer_protocol()).def_buffer([](const Member& member) {
    const auto* data = reinterpret_cast<const std::uint8_t*>(member.bytes.data());
    return py::buffer_info(data, static_cast<py::ssize_t>(member.bytes.size()));
  });
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
          "member",
          [](const Archive& archive, const std::string& name) {
            return py::memoryview(py::cast(Member{archive, archive.member(name)}));
          },
          py::arg("name"))
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
