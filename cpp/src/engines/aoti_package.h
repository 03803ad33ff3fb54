#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <c10/core/Device.h>
#include <torch/csrc/inductor/aoti_runner/model_container_runner.h>

#include "engines/byte_reader.h"

namespace kit {

/// A package of AOTInductor's, loaded: what runs it, and what its metadata says.
///
/// Before 2.13, torch's own loader unpacks packages into a folder under /tmp that a process which is killed
/// leaves behind; so the library goes to the runner from here, as that loader does it.
class AotiPackage {
 public:
  using Runner = torch::inductor::AOTIModelContainerRunner;
  using Metadata = std::unordered_map<std::string, std::string>;

  /// package: its bytes, in pieces, which must outlive this: weights beside its library stay where they are,
  /// and all else is read here. contents: a text that no other package has.
  /// calls: how many may run at once. Throws what libtorch throws, and a std::filesystem::filesystem_error if
  /// it cannot be unpacked.
  AotiPackage(const ByteReader::Pieces& package, const std::string& contents, at::Device device,
              std::size_t calls);

  AotiPackage(const AotiPackage&) = delete;
  AotiPackage& operator=(const AotiPackage&) = delete;
  ~AotiPackage();

  Runner& runner() const noexcept { return *runner_; }
  const Metadata& metadata() const noexcept { return metadata_; }

  /// Why a call of the runner's has failed in this thread, which libtorch says from 2.13 on only.
  std::string reason(const std::exception& error) const;

 private:
  Metadata metadata_;
  std::unordered_map<std::string, at::Tensor> constants_;  ///< that are mapped
  std::vector<AtenTensorHandle> handles_;  ///< of the constants, which the code makes and never deletes
  const char* (*take_error_)() = nullptr;
  std::unique_ptr<Runner> runner_;
};

}  // namespace kit
