#pragma once

#include <optional>

#include "tensor.h"

/// Images whose channels come last in memory, for operations that want them row after row.
namespace kit::program {

/// Whether images lie in memory channel after channel at each pixel, as ATen finds it: what could be either
/// lies row after row.
bool channels_last(const AtenTensorOpaque& images) noexcept;

/// Images row after row: those that come, or a copy of them.
class Plain {
 public:
  explicit Plain(AtenTensorOpaque* images);
  Plain(const Plain&) = delete;
  Plain& operator=(const Plain&) = delete;
  ~Plain();
  AtenTensorOpaque& operator*() const noexcept { return **contiguous_; }
  AtenTensorOpaque* operator->() const noexcept { return &**contiguous_; }

 private:
  AtenTensorOpaque* copy_ = nullptr;
  std::optional<Contiguous> contiguous_;
};

/// Images that lie row after row, in the other order; takes them.
AtenTensorOpaque* with_channels_last(AtenTensorOpaque* plain);

}  // namespace kit::program
