#pragma once

#include "elements.h"
#include "geometry.h"

namespace kit::program {

/// Convolutions in which each output channel sees one input channel alone: there is no matrix to multiply
/// with. T is float or double.
template <typename T>
class Depthwise {
 public:
  /// Throws std::bad_alloc.
  explicit Depthwise(const Geometry& geometry);

  /// weight: (out_channels, taps); bias: of all output channels, or null. All row-major, as input and output
  /// are.
  void convolve(const T* input, const T* weight, const T* bias, T* output) const;

 private:
  /// An input channel with its padding, each row with the columns of one remainder by the stride after
  /// another.
  void spread(const T* input) const;
  /// A row of an output channel.
  void row(const T* image, const T* taps, T bias, T* output) const;

  Geometry g_;
  std::int64_t rows_[2];  ///< of the image with its padding, along the first two dimensions
  std::int64_t part_;     ///< elements of a row with one remainder
  Scratch image_, offsets_;
};

}  // namespace kit::program
