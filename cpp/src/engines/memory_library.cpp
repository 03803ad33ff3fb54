#include "engines/memory_library.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include <kit/error.h>

namespace kit {
namespace {

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U  // Linux 6.3; older headers lack it
#endif

#ifdef __x86_64__
constexpr Elf64_Half machine = EM_X86_64;
#elif defined(__aarch64__)
constexpr Elf64_Half machine = EM_AARCH64;
#else
constexpr Elf64_Half machine = EM_NONE;
#endif

void check_kind(std::span<const std::byte> bytes, const std::string& where) {
  Elf64_Ehdr header{};
  if (bytes.size() >= sizeof header) std::memcpy(&header, bytes.data(), sizeof header);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_type != ET_DYN)
    throw Error(ErrorCode::archive, where + " is no shared object; export the model again");
  if (header.e_machine != machine)
    throw Error(ErrorCode::archive,
                where + " is for another kind of machine than its target says; export the model again");
}

/// A file without a name, open.
class MemoryFile {
 public:
  explicit MemoryFile(const std::string& where) : where_(where) {
    // It is mapped, not executed; where Linux is told to refuse files that could be, it still takes this one.
    constexpr unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    file_ = ::memfd_create("kit-program", flags | MFD_NOEXEC_SEAL);
    if (file_ < 0 && errno == EINVAL) file_ = ::memfd_create("kit-program", flags);
    if (file_ < 0) refuse();
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { ::close(file_); }

  /// Writes the bytes; nobody can change them afterwards.
  void fill(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ::ssize_t done = ::write(file_, bytes.data(), bytes.size());
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) refuse();
      bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
    if (::fcntl(file_, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) refuse();
  }

  /// A path to it that no other had in this process. The loader takes a library whose path it has seen for
  /// the one that it has loaded, even if that file is closed and its number is another's.
  std::string path() const {
    static std::atomic<std::uint64_t> count{0};
    std::string path = "/proc/self/fd/";
    for (std::uint64_t number = ++count; number != 0; number >>= 1) path += (number & 1) != 0 ? "./" : "/";
    return path + std::to_string(file_);
  }

 private:
  [[noreturn]] void refuse() const {
    throw Error(ErrorCode::unavailable,
                where_ + " cannot be held in memory: " + std::strerror(errno) + "; load another engine");
  }

  const std::string& where_;
  int file_ = -1;
};

/// Those that are loaded, by digest, and those that stay.
struct Libraries {
  std::mutex mutex;
  std::map<std::string, std::weak_ptr<const MemoryLibrary>> known;
  std::set<std::shared_ptr<const MemoryLibrary>> kept;

  static Libraries& of_process() {
    // Never destroyed: a model may be, after this would be.
    static auto& libraries = *new Libraries;
    return libraries;
  }
};

}  // namespace

MemoryLibrary::MemoryLibrary(std::span<const std::byte> bytes, const std::string& where) {
  check_kind(bytes, where);
  MemoryFile file(where);
  file.fill(bytes);
  const std::string path = file.path();
  handle_ = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle_ != nullptr) return;
  const char* text = ::dlerror();
  std::string reason = text != nullptr ? text : "no reason is known";
  // The path tells nobody anything.
  if (reason.starts_with(path + ": ")) reason.erase(0, path.size() + 2);
  const bool mounted = ::access("/proc/self/fd", F_OK) == 0;
  throw Error(
      ErrorCode::unavailable,
      where + " cannot be loaded here: " + reason +
          (mounted ? "; install what is missing, or load another engine"
                   : "; it is loaded through /proc, which is not mounted: mount it, or load another engine"));
}

std::shared_ptr<const MemoryLibrary> MemoryLibrary::shared(const std::string& digest,
                                                           std::span<const std::byte> bytes,
                                                           const std::string& where) {
  Libraries& libraries = Libraries::of_process();
  const std::lock_guard lock(libraries.mutex);
  std::weak_ptr<const MemoryLibrary>& known = libraries.known[digest];
  std::shared_ptr<const MemoryLibrary> library = known.lock();
  if (library == nullptr) known = library = std::make_shared<const MemoryLibrary>(bytes, where);
  return library;
}

void MemoryLibrary::keep(const std::shared_ptr<const MemoryLibrary>& library) {
  Libraries& libraries = Libraries::of_process();
  const std::lock_guard lock(libraries.mutex);
  libraries.kept.insert(library);
}

MemoryLibrary::~MemoryLibrary() { ::dlclose(handle_); }

void* MemoryLibrary::find(const char* name) const noexcept { return ::dlsym(handle_, name); }

}  // namespace kit
