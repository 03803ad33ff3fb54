#pragma once

#include <string>
#include <utility>

namespace kit::io {

/// A file descriptor that is closed when its owner goes; negative if there is none.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int number) : number_(number) {}
  Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Fd();

  int get() const noexcept { return number_; }
  explicit operator bool() const noexcept { return number_ >= 0; }

  /// Gives the descriptor away: the caller closes it.
  int release() noexcept { return std::exchange(number_, -1); }

 private:
  int number_ = -1;
};

/// The system's words for an `errno`: "No space left on device".
std::string reason(int error);

/// A file without a name in `directory`: it vanishes with its descriptor, however the process ends. Throws
/// an unavailable error if it cannot be made.
Fd unnamed_file(const std::string& directory);

/// Where temporary files belong: TMPDIR, or /tmp.
std::string temporary_directory();

/// Writes all of it, and again after an interruption. Returns 0, or the `errno` of the failure.
int write_all(int fd, const void* data, std::size_t size) noexcept;

}  // namespace kit::io
