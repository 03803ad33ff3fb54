#include "prepared.h"

#include <memory>
#include <new>

namespace kit::program {

namespace {

constexpr std::align_val_t alignment{64};

}  // namespace

Prepared::~Prepared() {
  Entry* entry = first_.load(std::memory_order_acquire);
  while (entry != nullptr) {
    Entry* const next = entry->next;
    release(entry);
    entry = next;
  }
}

const void* Prepared::find(const Key& key, const Entry* first) noexcept {
  for (const Entry* entry = first; entry != nullptr; entry = entry->next)
    if (entry->key == key) return entry->memory;
  return nullptr;
}

/// The entry becomes the first, unless another of its key has come before it: then that is the one.
const void* Prepared::keep(Entry* entry) noexcept {
  entry->next = first_.load(std::memory_order_acquire);
  do {
    if (const void* const known = find(entry->key, entry->next)) {
      release(entry);
      return known;
    }
  } while (!first_.compare_exchange_weak(entry->next, entry, std::memory_order_acq_rel,
                                         std::memory_order_acquire));
  return entry->memory;
}

Prepared::Entry* Prepared::allocate(const Key& key, std::size_t bytes) {
  auto entry = std::make_unique<Entry>(Entry{.key = key});
  entry->memory = ::operator new(bytes, alignment);
  return entry.release();
}

void Prepared::release(Entry* entry) noexcept {
  ::operator delete(entry->memory, alignment);
  delete entry;
}

}  // namespace kit::program
