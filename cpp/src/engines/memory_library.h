#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace kit {

/// A shared object that was loaded from bytes in memory: nothing of it is in a folder where somebody else
/// could read or replace it. It is unloaded with this, if nothing it started still needs it.
class MemoryLibrary {
 public:
  /// Loads it, with all that it needs; its symbols are seen by nobody else. `where` names it in messages.
  /// Throws an archive error if the bytes are no shared object for this kind of machine, an unavailable error
  /// that says why if the loader refuses it.
  MemoryLibrary(std::span<const std::byte> bytes, const std::string& where);
  MemoryLibrary(const MemoryLibrary&) = delete;
  MemoryLibrary& operator=(const MemoryLibrary&) = delete;
  ~MemoryLibrary();

  /// The one that this process has for these bytes, or a new one. `digest` is that of the bytes.
  static std::shared_ptr<const MemoryLibrary> shared(const std::string& digest,
                                                     std::span<const std::byte> bytes,
                                                     const std::string& where);

  /// Lets it stay until the process ends. For code that keeps something for each thread, which is not
  /// unloaded before these threads end: loaded anew each time, it would pile up.
  static void keep(const std::shared_ptr<const MemoryLibrary>& library);

  /// The symbol of that name, or null.
  void* find(const char* name) const noexcept;

 private:
  void* handle_ = nullptr;
};

}  // namespace kit
