#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace kit::program {

/// What was made of a constant for faster use: its elements in another order, or transformed. A form is made
/// by the first call that wants it, and lives as long as the constant. From any thread. Nobody waits for
/// another: of calls that want a form at once each makes it, and one is kept. So a process that is forked
/// meanwhile finds no lock that is held.
class Prepared {
 public:
  /// What a form depends on: how it was made, of which memory, and with which sizes and strides.
  struct Key {
    const char* form = nullptr;  ///< the address of the name counts
    const void* data = nullptr;
    std::int64_t numbers[11] = {};

    bool operator==(const Key&) const noexcept = default;
  };

  Prepared() = default;
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;
  ~Prepared();

  /// The form with this key; `make` fills its memory, which is aligned to 64 bytes, if there is none yet.
  /// Throws std::bad_alloc, and what `make` throws.
  template <typename Make>
  const void* get(const Key& key, std::size_t bytes, Make&& make) {
    if (const void* const known = find(key, first_.load(std::memory_order_acquire))) return known;
    Entry* const entry = allocate(key, bytes);
    try {
      make(entry->memory);
    } catch (...) {
      release(entry);
      throw;
    }
    return keep(entry);
  }

 private:
  struct Entry {
    Key key;
    void* memory = nullptr;
    Entry* next = nullptr;
  };

  static const void* find(const Key& key, const Entry* first) noexcept;
  const void* keep(Entry* entry) noexcept;
  static Entry* allocate(const Key& key, std::size_t bytes);
  static void release(Entry* entry) noexcept;

  std::atomic<Entry*> first_ = nullptr;  ///< of a list that only grows
};

}  // namespace kit::program
