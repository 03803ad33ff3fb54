#include "core/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace kit {

std::vector<std::byte> read_file(const std::string& path, ErrorCode code) {
  const auto refuse = [&](const std::string& reason) { return Error(code, path + ": " + reason); };
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw refuse(std::string("cannot be opened: ") + std::strerror(errno));
  const auto close = [](const int* open) { ::close(*open); };
  const std::unique_ptr<const int, decltype(close)> guard(&file, close);

  struct stat status {};
  if (::fstat(file, &status) != 0) throw refuse(std::string("cannot be read: ") + std::strerror(errno));
  if (S_ISDIR(status.st_mode)) throw refuse("is a directory; give a file");
  if (!S_ISREG(status.st_mode)) throw refuse("is not a regular file; give one");

  std::vector<std::byte> bytes(static_cast<std::size_t>(status.st_size));
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ::ssize_t got = ::read(file, bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw refuse(std::string("cannot be read: ") + std::strerror(errno));
    if (got == 0) throw refuse("was cut short while it was read; try again");
    done += static_cast<std::size_t>(got);
  }
  return bytes;
}

}  // namespace kit
