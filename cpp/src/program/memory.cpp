#include "memory.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <stdexcept>

#include "tensor.h"

namespace kit::program {
namespace {

thread_local Workspace* current_workspace = nullptr;

constexpr std::size_t alignment = 64;

std::byte* allocate_aligned(std::size_t bytes) {
  const std::size_t rounded = std::max((bytes + alignment - 1) / alignment, std::size_t{1}) * alignment;
  void* data = rounded < bytes ? nullptr : std::aligned_alloc(alignment, rounded);
  if (data == nullptr) throw std::bad_alloc();
  return static_cast<std::byte*>(data);
}

/// Whatever is made is kept in a list that has room for it, so that giving it back cannot fail.
template <typename T>
void make_room(std::vector<T>& list, std::size_t& made) {
  list.reserve(std::max(list.capacity(), made + 1));
  ++made;
}

}  // namespace

Workspace::~Workspace() {
  for (AtenTensorOpaque* tensor : tensors_) delete tensor;
  for (Block* block : free_) {
    std::free(block->data);
    delete block;
  }
  for (Block* block : empty_) delete block;
}

void Workspace::begin() {
  current_workspace = this;
  ordinal_ = 0;
  lending_ = false;
}

void Workspace::end() { current_workspace = nullptr; }

Workspace& Workspace::current() {
  if (current_workspace == nullptr) throw std::logic_error("a tensor was made outside of a call");
  return *current_workspace;
}

AtenTensorOpaque* Workspace::tensor() {
  if (tensors_.empty()) {
    make_room(tensors_, tensors_made_);
    return new AtenTensorOpaque{.home = this};
  }
  AtenTensorOpaque* const tensor = tensors_.back();
  tensors_.pop_back();
  return tensor;
}

void Workspace::give_back(AtenTensorOpaque* tensor) noexcept {
  tensor->block = nullptr;
  tensor->prepared = nullptr;
  tensors_.push_back(tensor);
}

/// The smallest block that has room and does not waste more than it holds.
Block* Workspace::find(std::size_t bytes) noexcept {
  std::size_t best = free_.size();
  for (std::size_t i = 0; i < free_.size(); ++i) {
    const std::size_t capacity = free_[i]->capacity;
    if (capacity < bytes || capacity / 2 > std::max(bytes, std::size_t{4096})) continue;
    if (best == free_.size() || capacity < free_[best]->capacity) best = i;
    if (capacity == bytes) break;
  }
  if (best == free_.size()) return nullptr;
  Block* const block = free_[best];
  free_[best] = free_.back();
  free_.pop_back();
  return block;
}

Block* Workspace::allocate(std::size_t bytes) {
  Destination* lent = nullptr;
  if (lending_) {
    ++ordinal_;
    for (Destination& one : destinations_)
      if (one.ordinal == ordinal_ && one.bytes == bytes && bytes != 0) lent = &one;
  }
  Block* block = lent == nullptr ? find(bytes) : nullptr;
  if (block == nullptr) {
    if (empty_.empty()) {
      // A free block that was of no use would, with sizes that grow, be one of ever more: it is replaced.
      const bool replace = lent == nullptr && free_.size() > 8 && free_.size() * 2 > blocks_made_;
      if (replace) {
        const auto largest = std::max_element(free_.begin(), free_.end(), [](const Block* a, const Block* b) {
          return a->capacity < b->capacity;
        });
        std::free((*largest)->data);
        **largest = Block{};
        empty_.push_back(*largest);
        *largest = free_.back();
        free_.pop_back();
      } else {
        free_.reserve(std::max(free_.capacity(), blocks_made_ + 1));
        empty_.reserve(std::max(empty_.capacity(), blocks_made_ + 1));
        empty_.push_back(new Block{});
        ++blocks_made_;
      }
    }
    block = empty_.back();
    if (lent != nullptr)
      *block = {.data = lent->data, .capacity = bytes, .home = this, .lent = true};
    else
      *block = {.data = allocate_aligned(bytes), .capacity = bytes, .home = this};
    empty_.pop_back();
  }
  block->references = 1;
  block->ordinal = lending_ ? ordinal_ : 0;
  return block;
}

void Workspace::give_back(Block* block) noexcept {
  if (block->lent) {
    *block = Block{};
    empty_.push_back(block);
  } else {
    free_.push_back(block);
  }
}

Workspaces::~Workspaces() {
  Workspace* next = nullptr;
  for (Workspace* one = first_.load(std::memory_order_acquire); one != nullptr; one = next) {
    next = one->next_;
    delete one;
  }
}

Workspace* Workspaces::take() {
  for (Workspace* one = first_.load(std::memory_order_acquire); one != nullptr; one = one->next_)
    if (!one->taken_.load(std::memory_order_relaxed) &&
        !one->taken_.exchange(true, std::memory_order_acquire))
      return one;
  auto* const made = new Workspace(outputs_);
  made->next_ = first_.load(std::memory_order_relaxed);
  while (!first_.compare_exchange_weak(made->next_, made, std::memory_order_release,
                                       std::memory_order_relaxed)) {
  }
  return made;
}

void Workspaces::give_back(Workspace* workspace) noexcept {
  workspace->taken_.store(false, std::memory_order_release);
}

}  // namespace kit::program
