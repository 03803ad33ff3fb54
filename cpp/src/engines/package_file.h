#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace kit {

/// Bytes in memory under a path that only this process can open, for loaders that take nothing but a path.
/// The path is good as long as this is alive.
class PackageFile {
 public:
  /// Throws an unavailable error if there is not enough memory, or the system has no /proc.
  explicit PackageFile(std::span<const std::byte> bytes);
  PackageFile(const PackageFile&) = delete;
  PackageFile& operator=(const PackageFile&) = delete;
  ~PackageFile();

  std::string path() const;

 private:
  int file_ = -1;
};

}  // namespace kit
