#pragma once

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "archive_builder.h"

namespace kit::test {

/// The shared object of native_program.cpp, with what it says of itself as the test wants it.
class NativeProgram {
 public:
  NativeProgram() {
    std::ifstream file(KIT_TEST_NATIVE_PROGRAM, std::ios::binary);
    bytes = {std::istreambuf_iterator<char>(file), {}};
  }

  /// Replaces a text by another of the same length, wherever it is.
  NativeProgram& replace(const std::string& text, const std::string& by) {
    for (auto at = bytes.find(text); at != std::string::npos; at = bytes.find(text, at + by.size()))
      bytes.replace(at, text.size(), by);
    return *this;
  }

  NativeProgram& set_abi(std::uint32_t abi) { return set(8, abi); }
  NativeProgram& set_bias(float bias) { return set(12, bias); }

  std::string bytes;

 private:
  template <typename T>
  NativeProgram& set(std::size_t offset, T value) {
    std::memcpy(bytes.data() + bytes.find(std::string("KITTEST\0", 8)) + offset, &value, sizeof value);
    return *this;
  }
};

/// An archive with a native program for each of the targets beside its TorchScript program, which is none.
/// The weights are 2, so that the golden case is right.
class NativeArchive : public ArchiveBuilder {
 public:
  explicit NativeArchive(const std::vector<std::string>& targets = {"x86-64-v2"},
                         const NativeProgram& program = {}) {
    const float weights[]{2, 2};
    members[1].second.assign(reinterpret_cast<const char*>(weights), sizeof weights);
    for (const std::string& target : targets) {
      const std::string member = "extra/kit/programs/native-" + target + "/forward.so";
      members.emplace_back(member, NativeProgram(program).replace("x86-64-v2", target).bytes);
      const nlohmann::json constant{{"member", "data/0"}, {"offset", 0}, {"size", sizeof weights}};
      manifest["programs"].push_back(
          {{"engine", "native"},
           {"target", target},
           {"torch", "2.13.0"},
           {"methods", {{"forward", {{"library", member}, {"constants", {constant}}}}}}});
    }
  }

  /// The entry of the program in the manifest: 1 is the first native one.
  nlohmann::json& program(std::size_t index = 1) { return manifest["programs"][index]; }
};

}  // namespace kit::test
