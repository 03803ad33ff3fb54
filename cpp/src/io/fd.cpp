#include "io/fd.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include <kit/error.h>

namespace kit::io {

Fd::~Fd() {
  if (number_ >= 0) ::close(number_);
}

std::string reason(int error) { return std::generic_category().message(error); }

Fd unnamed_file(const std::string& directory) {
  Fd fd(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (fd) return fd;
  // Not every file system has O_TMPFILE.
  std::string path = directory + "/kit-XXXXXX";
  Fd named(::mkostemp(path.data(), O_CLOEXEC));
  if (!named)
    throw Error(ErrorCode::unavailable, "cannot make a temporary file in " + directory + ": " +
                                            reason(errno) +
                                            "; make room there, or name another place in TMPDIR");
  ::unlink(path.c_str());
  return named;
}

std::string temporary_directory() {
  const char* directory = std::getenv("TMPDIR");
  return directory != nullptr && *directory != '\0' ? directory : "/tmp";
}

int write_all(int fd, const void* data, std::size_t size) noexcept {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = ::write(fd, at, size);
    if (written < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    at += written;
    size -= static_cast<std::size_t>(written);
  }
  return 0;
}

}  // namespace kit::io
