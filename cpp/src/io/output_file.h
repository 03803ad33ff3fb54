#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/fd.h"

namespace kit::io {

/// A file, or standard output, that is written, with a buffer.
///
/// A regular or new file is written beside its place and takes it in `commit`; before that, or if the
/// process dies, what was there stays. An existing device or pipe, and "-", are written directly. Every
/// failure to write is an unavailable error that names the path and the system's reason.
class OutputFile {
 public:
  /// Makes ready to write to `path`; "-" is standard output. `read`: a file that is read for it, and must
  /// stay. Throws a usage error if its directory does not exist, or it is a directory itself, or the file
  /// that is read.
  explicit OutputFile(const std::string& path, const std::string& read = {});
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// Without `commit` nothing stays behind.
  ~OutputFile();

  /// What messages call it: the path, or "<stdout>".
  const std::string& name() const noexcept { return name_; }

  /// Whether `patch` works.
  bool seekable() const noexcept { return atomic_; }

  /// Where temporary files for this output belong.
  const std::string& directory() const noexcept { return directory_; }

  void write(const void* data, std::size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }

  /// Room for `size` characters, to be followed by `wrote` with how many of them were used.
  char* room(std::size_t size);
  void wrote(std::size_t size) noexcept { used_ += size; }

  /// Overwrites what was written at `offset`. Only where `seekable()`.
  void patch(std::uint64_t offset, std::string_view bytes);

  /// Brings everything to the disk and the file to its place. Nothing can be written afterwards.
  void commit();

 private:
  void open_beside();
  void flush();
  [[noreturn]] void fail(int error) const;

  std::string name_;
  std::string target_;  ///< the regular file that `commit` replaces, links resolved
  std::string directory_;
  std::string temporary_;  ///< path of the file while it has a temporary name, else empty
  Fd fd_;
  bool atomic_ = false;
  std::vector<char> buffer_;
  std::size_t used_ = 0;
};

}  // namespace kit::io
