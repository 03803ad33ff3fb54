#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "io/fd.h"

namespace kit::io {

/// A file, or standard input, that is read.
class InputFile {
 public:
  /// Opens `path`; "-" is standard input. Throws a usage error if there is no such file, or it is a
  /// directory, or may not be read.
  explicit InputFile(const std::string& path);

  /// What messages call it: the path, or "<stdin>".
  const std::string& name() const noexcept { return name_; }

  /// Bytes from here to the end of a regular file; nothing for a pipe or a device.
  std::optional<std::uint64_t> remaining() const;

  /// Reads what is there, at most `size` bytes; 0 at the end. Throws an unavailable error if the system
  /// cannot read.
  std::size_t read_some(void* buffer, std::size_t size);

  /// Reads until `size` bytes are there or the file ends; returns how many came.
  std::size_t read(void* buffer, std::size_t size);

  /// Reads `size` bytes at `offset` from where a regular file stands now, without moving. Throws an input
  /// error if the file ends before.
  void read_at(std::uint64_t offset, void* buffer, std::size_t size) const;

  /// Makes `read_at` work for a pipe too: what is left of it is copied to an unnamed temporary file.
  void make_seekable();

 private:
  Fd fd_;
  std::string name_;
};

}  // namespace kit::io
