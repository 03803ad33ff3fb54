#include "io/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include <kit/error.h>

namespace kit::io {

InputFile::InputFile(const std::string& path) : name_(path == "-" ? "<stdin>" : path) {
  fd_ = Fd(path == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                       : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!fd_ || ::fstat(fd_.get(), &status) != 0)
    throw Error(ErrorCode::usage, "cannot read the input " + name_ + ": " + reason(errno) +
                                      "; give the path of a readable file, or - for a pipe");
  if (S_ISDIR(status.st_mode))
    throw Error(ErrorCode::usage, "the input " + name_ + " is a directory; give the path of a file");
}

std::optional<std::uint64_t> InputFile::remaining() const {
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  const off_t position = ::lseek(fd_.get(), 0, SEEK_CUR);
  if (position < 0) return std::nullopt;
  return position < status.st_size ? static_cast<std::uint64_t>(status.st_size - position) : 0;
}

std::size_t InputFile::read_some(void* buffer, std::size_t size) {
  for (;;) {
    const ssize_t count = ::read(fd_.get(), buffer, size);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) throw Error(ErrorCode::unavailable, "cannot read " + name_ + ": " + reason(errno));
  }
}

std::size_t InputFile::read(void* buffer, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    const std::size_t count = read_some(static_cast<char*>(buffer) + done, size - done);
    if (count == 0) break;
    done += count;
  }
  return done;
}

void InputFile::read_at(std::uint64_t offset, void* buffer, std::size_t size) const {
  const off_t origin = ::lseek(fd_.get(), 0, SEEK_CUR);
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count = ::pread(fd_.get(), static_cast<char*>(buffer) + done, size - done,
                                  origin + static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw Error(ErrorCode::unavailable, "cannot read " + name_ + ": " + reason(errno));
    if (count == 0)
      throw Error(ErrorCode::input,
                  name_ + " became shorter while it was read; run again once it is complete");
    done += static_cast<std::size_t>(count);
  }
}

void InputFile::make_seekable() {
  if (remaining()) return;
  const std::string directory = temporary_directory();
  Fd copy = unnamed_file(directory);
  std::vector<char> buffer(1 << 20);
  for (std::size_t count = 0; (count = read_some(buffer.data(), buffer.size())) > 0;) {
    if (const int error = write_all(copy.get(), buffer.data(), count); error != 0)
      throw Error(ErrorCode::unavailable, "cannot keep " + name_ + " in " + directory + ": " + reason(error) +
                                              "; make room there, or name another place in TMPDIR");
  }
  ::lseek(copy.get(), 0, SEEK_SET);
  fd_ = std::move(copy);
}

}  // namespace kit::io
