#include "core/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace kit {
namespace {

/// A regular file, open for reading.
class RegularFile {
 public:
  RegularFile(const std::string& path, ErrorCode code)
      : path_(path), code_(code), file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (file_ < 0) refuse(std::string("cannot be opened: ") + std::strerror(errno));
  }
  RegularFile(const RegularFile&) = delete;
  RegularFile& operator=(const RegularFile&) = delete;
  ~RegularFile() { ::close(file_); }

  [[noreturn]] void refuse(const std::string& reason) const { throw Error(code_, path_ + ": " + reason); }
  [[noreturn]] void refuse_reading() const { refuse(std::string("cannot be read: ") + std::strerror(errno)); }

  std::size_t size() const {
    struct stat status {};
    if (::fstat(file_, &status) != 0) refuse_reading();
    if (S_ISDIR(status.st_mode)) refuse("is a directory; give a file");
    if (!S_ISREG(status.st_mode)) refuse("is not a regular file; give one");
    return static_cast<std::size_t>(status.st_size);
  }

  int get() const { return file_; }

 private:
  const std::string& path_;
  ErrorCode code_;
  int file_;
};

}  // namespace

MappedFile::MappedFile(const std::string& path, ErrorCode code) {
  const RegularFile file(path, code);
  const std::size_t size = file.size();
  if (size == 0) return;  // nothing cannot be mapped
  void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (memory == MAP_FAILED) file.refuse_reading();
  bytes_ = {static_cast<const std::byte*>(memory), size};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void MappedFile::release(std::span<const std::byte> part) const noexcept {
  // Only whole pages; the others may hold what is beside the part.
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t before = (page - reinterpret_cast<std::uintptr_t>(part.data()) % page) % page;
  if (part.size() < before + page) return;
  auto* begin = const_cast<std::byte*>(part.data()) + before;
  ::madvise(begin, (part.size() - before) / page * page, MADV_DONTNEED);
}

}  // namespace kit
