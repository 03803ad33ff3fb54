#include "archive_builder.h"

#include <cstdint>

#include <zlib.h>

#include "core/safetensors.h"
#include "core/sha256.h"

namespace kit::test {
namespace {

std::string little_endian(std::uint64_t value, std::size_t bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes; ++i) text += static_cast<char>((value >> (8 * i)) & 0xff);
  return text;
}

/// The fields that local and central header share, from "version needed" to the size of the extra field.
std::string shared_fields(const std::string& name, const std::string& contents, std::size_t extra_size) {
  const auto checksum = ::crc32_z(0, reinterpret_cast<const Bytef*>(contents.data()), contents.size());
  return little_endian(20, 2) + little_endian(0, 2) + little_endian(0, 2) + little_endian(0, 2) +
         little_endian(0x21, 2) + little_endian(checksum, 4) + little_endian(contents.size(), 4) +
         little_endian(contents.size(), 4) + little_endian(name.size(), 2) + little_endian(extra_size, 2);
}

std::string golden_case() {
  const std::vector<float> x{1, 2, 3, 4};
  const std::vector<float> y{2, 4, 6, 8};
  const std::string header = safetensors::serialize_header(
      {{"0.inputs.x", DType::float32, {2, 2}, 0, 16}, {"0.outputs.y", DType::float32, {2, 2}, 16, 32}});
  return header + std::string(reinterpret_cast<const char*>(x.data()), 16) +
         std::string(reinterpret_cast<const char*>(y.data()), 16);
}

}  // namespace

std::vector<std::byte> bytes_of(const std::string& text) {
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

ArchiveBuilder::ArchiveBuilder() {
  members = {
      {"data.pkl", "not a pickle"}, {"data/0", "weights"}, {"extra/kit/cases.safetensors", golden_case()}};
  const nlohmann::json shape{"batch", 2};
  manifest = {
      {"format", 1},
      {"name", "double"},
      {"signature",
       {{"dims", {{"batch", {{"min", 1}, {"max", 4}}}}},
        {"inputs", {{{"name", "x"}, {"dtype", "float32"}, {"shape", shape}}}},
        {"outputs", {{{"name", "y"}, {"dtype", "float32"}, {"shape", shape}}}}}},
      {"programs", {{{"engine", "torchscript"}, {"target", "any"}, {"torch", "2.13.0"}}}},
      {"cases", {{"count", 1}}},
      {"tolerances", {{"float32", {{"rtol", 1.3e-6}, {"atol", 1e-5}}}}},
      {"provenance", {{"kit", "0.1.0"}}},
  };
}

std::string ArchiveBuilder::manifest_json() const {
  nlohmann::json complete = manifest;
  complete["members"] = nlohmann::json::array();
  for (const auto& [name, contents] : members)
    complete["members"].push_back(
        {{"name", name}, {"size", contents.size()}, {"sha256", sha256_hex(bytes_of(contents))}});
  return complete.dump(2);
}

std::string ArchiveBuilder::build() const {
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& [name, contents] : members) files.emplace_back(root + name, contents);
  files.emplace_back(root + "extra/kit/manifest.json", manifest_json());
  return zip(files);
}

std::string ArchiveBuilder::zip(const std::vector<std::pair<std::string, std::string>>& files) {
  constexpr std::size_t local_size = 30;
  constexpr std::size_t alignment = 64;
  std::string body;
  std::string directory;
  for (const auto& [name, contents] : files) {
    const std::size_t offset = body.size();
    const std::size_t padding = alignment - (offset + local_size + name.size() + 4) % alignment;
    const std::string extra =
        little_endian(0xd935, 2) + little_endian(padding, 2) + std::string(padding, '\0');
    body += "PK\3\4" + shared_fields(name, contents, extra.size()) + name + extra + contents;
    directory += "PK\1\2" + little_endian(0x031e, 2) + shared_fields(name, contents, 0) +
                 std::string(6, '\0') + little_endian(0x81a40000, 4) + little_endian(offset, 4) + name;
  }
  const std::string end = "PK\5\6" + std::string(4, '\0') + little_endian(files.size(), 2) +
                          little_endian(files.size(), 2) + little_endian(directory.size(), 4) +
                          little_endian(body.size(), 4) + std::string(2, '\0');
  return body + directory + end;
}

}  // namespace kit::test
