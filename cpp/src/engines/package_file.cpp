#include "engines/package_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <kit/error.h>

namespace kit {
namespace {

[[noreturn]] void refuse() {
  throw Error(ErrorCode::unavailable, std::string("a program cannot be loaded: there is no memory for a copy "
                                                  "of it, or no /proc: ") +
                                          std::strerror(errno) + "; free some, or load another program");
}

void write_all(int file, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ::ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) refuse();
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

}  // namespace

PackageFile::PackageFile(std::span<const std::byte> bytes)
    : file_(::memfd_create("kit-program", MFD_CLOEXEC)) {
  if (file_ < 0) refuse();
  try {
    write_all(file_, bytes);
    if (::access(path().c_str(), R_OK) != 0) refuse();
  } catch (...) {
    ::close(file_);
    throw;
  }
}

PackageFile::~PackageFile() { ::close(file_); }

std::string PackageFile::path() const { return "/proc/self/fd/" + std::to_string(file_); }

}  // namespace kit
