#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "io/fd.h"
#include "io/output_file.h"

namespace kit::io {

/// Bytes that must wait until all of them are known: in memory at first, then in an unnamed file.
class Spool {
 public:
  /// `directory` is where the file is made, once there are many bytes.
  explicit Spool(std::string directory) : directory_(std::move(directory)) {}

  /// Throws an unavailable error if the disk is full.
  void write(const void* data, std::size_t size);

  std::uint64_t size() const noexcept { return size_; }

  /// Writes all bytes to `output`. Nothing can be added afterwards.
  void copy_to(OutputFile& output);

 private:
  void flush();

  std::string directory_;
  std::vector<char> buffer_;
  Fd fd_;
  std::uint64_t size_ = 0;
};

}  // namespace kit::io
