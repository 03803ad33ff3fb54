#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <kit/manifest.h>
#include <kit/tensor.h>

namespace kit {

/// A golden case: inputs, and the outputs that the eager model gave for them, in the signature's order.
struct Case {
  std::vector<Tensor> inputs;
  std::vector<Tensor> outputs;
};

/// An opened and checked archive. It holds the file's bytes; whoever loads a program loads it from these
/// bytes, so that what runs is what was checked. Copies share the bytes. Immutable, hence safe to read
/// from many threads.
///
/// A file is mapped, not copied: weights are read from the disk when they are needed, and processes share
/// them. It must stay as it is while an archive, or a model that was loaded from one, is alive: after a
/// change in place what runs is undefined. To replace it, rename a new file over it, as kit's writer does:
/// the old one then lives on for those who have it open.
class Archive {
 public:
  /// Maps the file and checks its structure and, where there is a manifest, every member against it.
  /// Throws an archive error if the file cannot be read, is no archive, or has a member that is missing,
  /// added, duplicated or changed.
  static Archive open(const std::string& path);

  /// The same for bytes in memory; `where` names them in messages.
  static Archive from_bytes(std::vector<std::byte> bytes, const std::string& where);

  /// Where the archive came from: its path, or what `from_bytes` was told.
  const std::string& path() const noexcept;

  std::span<const std::byte> bytes() const noexcept;

  /// Null for a TorchScript archive from elsewhere: then nothing was checked but the zip structure.
  const Manifest* manifest() const noexcept;

  /// Names of the members without the root folder, in the order of the file.
  std::vector<std::string> member_names() const;

  /// The bytes of a member that is stored uncompressed (in kit's archives all are). Throws an archive
  /// error if there is none of that name.
  std::span<const std::byte> member(std::string_view name) const;

  /// The golden cases of a method, in memory of their own. Throws an archive error if there are none, a
  /// usage error if there is no such method.
  std::vector<Case> cases(std::string_view method = "forward") const;

 private:
  struct State;
  explicit Archive(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

}  // namespace kit
