#pragma once

#include <cstdint>

#include "elements.h"
#include "geometry.h"

namespace kit::program {

/// Convolves directly: the patches of the input that the outputs see become the columns of a matrix, a part
/// of it at a time, and the packed weights are multiplied with it.
template <typename T>
class Patches {
 public:
  explicit Patches(const Geometry& geometry);

  /// One item and one group of it. packed: the weights, filters × (channels · taps), by `pack`; bias: one a
  /// filter, or null.
  void convolve(const T* input, const T* packed, const T* bias, T* output) const;

 private:
  const T* padded(const T* input) const;
  void fill(const T* image, std::int64_t first, T* columns) const;

  Geometry g_;
  std::int64_t channels_, filters_, depth_, positions_;
  std::int64_t size_[most_dims];  ///< of the image with its padding
  bool pads_;
  std::int64_t at_once_;  ///< columns
  Scratch image_, columns_, offsets_;
};

}  // namespace kit::program
