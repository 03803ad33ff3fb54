#include "io/spool.h"

#include <unistd.h>

#include <cerrno>

#include <kit/error.h>

namespace kit::io {

namespace {
constexpr std::size_t in_memory = 1 << 20;
}

void Spool::write(const void* data, std::size_t size) {
  if (buffer_.size() + size > in_memory) flush();
  size_ += size;
  const char* bytes = static_cast<const char*>(data);
  if (size <= in_memory) {
    buffer_.insert(buffer_.end(), bytes, bytes + size);
    return;
  }
  if (!fd_) fd_ = unnamed_file(directory_);
  if (const int error = write_all(fd_.get(), data, size); error != 0)
    throw Error(ErrorCode::unavailable,
                "cannot write to a temporary file in " + directory_ + ": " + reason(error));
}

void Spool::flush() {
  if (buffer_.empty()) return;
  if (!fd_) fd_ = unnamed_file(directory_);
  if (const int error = write_all(fd_.get(), buffer_.data(), buffer_.size()); error != 0)
    throw Error(ErrorCode::unavailable,
                "cannot write to a temporary file in " + directory_ + ": " + reason(error));
  buffer_.clear();
}

void Spool::copy_to(OutputFile& output) {
  if (fd_) {
    const std::uint64_t stored = size_ - buffer_.size();
    std::vector<char> chunk(in_memory);
    for (std::uint64_t done = 0; done < stored;) {
      const ssize_t count = ::pread(fd_.get(), chunk.data(), chunk.size(), static_cast<off_t>(done));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0)
        throw Error(ErrorCode::unavailable, "cannot read a temporary file in " + directory_ + ": " +
                                                (count < 0 ? reason(errno) : "it became shorter"));
      output.write(chunk.data(), static_cast<std::size_t>(count));
      done += static_cast<std::uint64_t>(count);
    }
  }
  output.write(buffer_.data(), buffer_.size());
}

}  // namespace kit::io
