#include "own_file.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "checksum.h"

namespace kit::program {
namespace {

constexpr char mark[] = "KITCONST";
constexpr std::size_t mark_size = sizeof mark - 1;

char own_path[PATH_MAX];

/// When the program is loaded: a relative path may name another file later. Its own memory tells what it is,
/// where a function that another program has, too, may be that of the other. Nothing but calls: the CPU may
/// lack instructions that the program is compiled for.
[[gnu::constructor]] void find_own_path() {
  Dl_info found;
  if (::dladdr(own_path, &found) == 0 || ::realpath(found.dli_fname, own_path) == nullptr) own_path[0] = '\0';
}

}  // namespace

OwnFile::OwnFile(std::size_t count, const std::uint64_t* sizes) {
  const std::string path = own_path;
  if (path.empty()) throw OwnFileFault("the program does not find its own file; give it its constants");
  const auto fail = [&](const std::string& why) -> OwnFileFault {
    return OwnFileFault(path + ": " + why + "; extract the program again, or give it its constants");
  };
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw fail(std::string("cannot be opened: ") + std::strerror(errno));
  struct stat status {};
  const bool known = ::fstat(file, &status) == 0 && status.st_size > 0;
  void* const mapping =
      known ? ::mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ, MAP_PRIVATE, file, 0)
            : MAP_FAILED;
  const std::string reason = std::strerror(errno);
  ::close(file);
  if (mapping == MAP_FAILED) throw fail("cannot be mapped: " + reason);
  mapping_ = mapping;
  size_ = static_cast<std::size_t>(status.st_size);

  const auto* const bytes = static_cast<const std::byte*>(mapping);
  const auto number = [&](std::size_t at) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes + at, sizeof value);
    return value;
  };
  const std::size_t tail = 16 + mark_size;
  const bool marked = size_ > tail && std::memcmp(bytes + size_ - mark_size, mark, mark_size) == 0;
  const std::size_t places = 16 * count;
  std::string why;
  if (!marked)
    why = "has no constants at its end";
  else if (number(size_ - mark_size - 8) != checksum(bytes, size_ - mark_size - 8))
    why = "is damaged";
  else if (number(size_ - tail) != count || size_ < tail + places)
    why = "has other constants at its end than the program's";
  for (std::size_t i = 0; why.empty() && i < count; ++i) {
    const std::size_t at = size_ - tail - places + 16 * i;
    const std::uint64_t offset = number(at), size = number(at + 8);
    if (size != sizes[i] || offset > size_ || size > size_ - offset)
      why = "has a constant at its end that the program has not";
    else
      constants_.push_back({bytes + offset, size});
  }
  if (why.empty()) return;
  ::munmap(mapping_, size_);
  mapping_ = nullptr;
  throw fail(why);
}

OwnFile::OwnFile(OwnFile&& other) noexcept { *this = std::move(other); }

OwnFile& OwnFile::operator=(OwnFile&& other) noexcept {
  std::swap(mapping_, other.mapping_);
  std::swap(size_, other.size_);
  std::swap(constants_, other.constants_);
  return *this;
}

OwnFile::~OwnFile() {
  if (mapping_ != nullptr) ::munmap(mapping_, size_);
}

}  // namespace kit::program
