#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <kit/error.h>

namespace kit {

/// A regular file, mapped and not copied: a byte is read from the disk when it is looked at. If somebody else
/// changes the file meanwhile, the bytes change too; if it is cut short, looking at what is gone ends the
/// process.
class MappedFile {
 public:
  /// Throws an error of `code` that names the path and says why, if there is no such file, it is a directory
  /// or another special file, or it cannot be read.
  MappedFile(const std::string& path, ErrorCode code);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const noexcept { return bytes_; }

  /// Gives the memory of this part back until it is looked at again.
  void release(std::span<const std::byte> part) const noexcept;

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace kit
