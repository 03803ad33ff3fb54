#include "io/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>

#include <kit/error.h>

namespace kit::io {

namespace {

constexpr std::size_t buffer_size = 1 << 18;

/// A name in the same directory that no other process takes at the same time.
std::string temporary_name(const std::string& target) {
  const std::filesystem::path path(target);
  static int count = 0;
  return (path.parent_path() / ("." + path.filename().string() + "." + std::to_string(::getpid()) + "." +
                                std::to_string(count++) + ".tmp"))
      .string();
}

std::string directory_of(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

}  // namespace

OutputFile::OutputFile(const std::string& path, const std::string& read) : name_(path), buffer_(buffer_size) {
  if (path == "-") {
    name_ = "<stdout>";
    directory_ = temporary_directory();
    fd_ = Fd(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
    if (!fd_) fail(errno);
    return;
  }
  struct stat status {};
  const bool exists = ::stat(path.c_str(), &status) == 0;
  if (path.empty() || path.back() == '/' || (exists && S_ISDIR(status.st_mode)))
    throw Error(ErrorCode::usage, "the output '" + path + "' is a directory; give the path of a file");
  struct stat other {};
  if (exists && !read.empty() && ::stat(read.c_str(), &other) == 0 && other.st_dev == status.st_dev &&
      other.st_ino == status.st_ino)
    throw Error(ErrorCode::usage, "the output '" + path + "' is the file " + read +
                                      ", which is read, and would be replaced; give another path");
  if (exists && !S_ISREG(status.st_mode)) {
    directory_ = temporary_directory();
    fd_ = Fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd_) fail(errno);
    return;
  }
  if (exists && ::access(path.c_str(), W_OK) != 0) fail(errno);
  // The file that a link points to is replaced, not the link.
  const std::unique_ptr<char, decltype(&::free)> real(exists ? ::realpath(path.c_str(), nullptr) : nullptr,
                                                      ::free);
  target_ = real ? real.get() : path;
  directory_ = directory_of(target_);
  struct stat place {};
  if (::stat(directory_.c_str(), &place) != 0 || !S_ISDIR(place.st_mode))
    throw Error(ErrorCode::usage, "the output directory " + directory_ + " of " + path +
                                      " does not exist; make it first, or give another path");
  open_beside();
  if (exists) ::fchmod(fd_.get(), status.st_mode & 07777);
}

void OutputFile::open_beside() {
  atomic_ = true;
  // A file without a name vanishes even if the process is killed; it gets its name through /proc.
  if (::access("/proc/self/fd", X_OK) == 0) {
    fd_ = Fd(::open(directory_.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666));
    if (fd_) return;
  }
  for (int attempt = 0; attempt < 100 && !fd_; ++attempt) {
    temporary_ = temporary_name(target_);
    fd_ = Fd(::open(temporary_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666));
    if (!fd_ && errno != EEXIST) break;
  }
  if (!fd_) {
    temporary_.clear();
    fail(errno);
  }
}

OutputFile::~OutputFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void OutputFile::write(const void* data, std::size_t size) {
  if (size > buffer_.size() - used_) flush();
  if (size >= buffer_.size()) {
    if (const int error = write_all(fd_.get(), data, size); error != 0) fail(error);
    return;
  }
  if (size > 0) std::memcpy(buffer_.data() + used_, data, size);
  used_ += size;
}

char* OutputFile::room(std::size_t size) {
  if (size > buffer_.size() - used_) flush();
  if (size > buffer_.size()) buffer_.resize(size);
  return buffer_.data() + used_;
}

void OutputFile::flush() {
  const std::size_t size = std::exchange(used_, 0);
  if (const int error = write_all(fd_.get(), buffer_.data(), size); error != 0) fail(error);
}

void OutputFile::patch(std::uint64_t offset, std::string_view bytes) {
  flush();
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count =
        ::pwrite(fd_.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(errno);
    done += static_cast<std::size_t>(count);
  }
}

void OutputFile::commit() {
  flush();
  if (atomic_) {
    if (::fsync(fd_.get()) != 0) fail(errno);
    if (temporary_.empty()) {
      const std::string unnamed = "/proc/self/fd/" + std::to_string(fd_.get());
      std::string linked = temporary_name(target_);
      while (::linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, linked.c_str(), AT_SYMLINK_FOLLOW) != 0) {
        if (errno != EEXIST) fail(errno);
        linked = temporary_name(target_);
      }
      temporary_ = std::move(linked);
    }
  }
  // Some file systems tell only here that the disk is full.
  if (::close(fd_.release()) != 0) fail(errno);
  if (!atomic_) return;
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail(errno);
  temporary_.clear();
}

void OutputFile::fail(int error) const {
  const std::string remedy = error == ENOSPC ? "; make room, or write elsewhere with --output" : "";
  throw Error(ErrorCode::unavailable, "cannot write " + name_ + ": " + reason(error) + remedy);
}

}  // namespace kit::io
