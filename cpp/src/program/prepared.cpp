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

const void* Prepared::find(const Key& key) const noexcept {
  for (const Entry* entry = first_.load(std::memory_order_acquire); entry != nullptr; entry = entry->next)
    if (entry->key == key) return entry->memory;
  return nullptr;
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
