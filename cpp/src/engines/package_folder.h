#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "engines/byte_reader.h"

namespace kit {

/// A package of AOTInductor's, unpacked into a folder that only this user can read, which goes with this.
///
/// Whatever has the same contents has the same folder, again and again: the loader of libraries takes a
/// library whose path it has seen for the one that it has loaded. Code of Inductor's keeps something for each
/// thread, so it is not unloaded before these threads end: from another path each time, it would pile up.
class PackageFolder {
 public:
  /// package: its bytes, in pieces. contents: a text that no other package has. without: a record to leave
  /// out. Waits until no other thread has one of the same. Throws what the reader of packages throws, and a
  /// std::filesystem::filesystem_error if the folder cannot be written.
  PackageFolder(ByteReader::Pieces package, const std::string& contents, const std::string& without);
  PackageFolder(const PackageFolder&) = delete;
  PackageFolder& operator=(const PackageFolder&) = delete;
  ~PackageFolder();

  std::string path() const { return place_->path.string(); }

 private:
  struct Place {
    std::mutex mutex;
    std::filesystem::path path;
  };
  static std::shared_ptr<Place> place_of(const std::string& contents);

  void make();
  void remove() noexcept;

  std::shared_ptr<Place> place_;
  std::unique_lock<std::mutex> lock_;
};

}  // namespace kit
