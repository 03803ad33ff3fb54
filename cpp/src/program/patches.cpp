#include "patches.h"

#include <algorithm>

#include "panels.h"

namespace kit::program {
namespace {

/// One pixel for each position has nothing of rows: all are one.
Geometry flattened(Geometry g) {
  if (!g.pointwise()) return g;
  g.in[2] = g.out[2] = g.pixels();
  g.in[0] = g.in[1] = g.out[0] = g.out[1] = 1;
  return g;
}

bool has_padding(const Geometry& g) {
  return std::any_of(g.padding, g.padding + most_dims, [](std::int64_t padding) { return padding != 0; });
}

/// How many columns to make at once, so that they stay in the cache, and yet the weights, which are read once
/// for all of them, are not read too often. The rows of the matrix are an odd number of cache lines, or they
/// would compete for the same few places there.
template <typename T>
std::int64_t columns_at_once(std::int64_t depth, std::int64_t positions) {
  constexpr std::int64_t most_bytes = 256 << 10, least = 64;
  const std::int64_t fitting = most_bytes / (std::max(depth, std::int64_t{1}) * std::int64_t{sizeof(T)});
  const std::int64_t wanted = std::min(std::max(fitting, least), positions + panel_columns<T> - 1);
  return std::max(wanted / panel_columns<T>, std::int64_t{1}) * panel_columns<T>;
}

/// Elements from one row of the matrix to the next.
template <typename T>
std::int64_t row_stride(std::int64_t columns) {
  constexpr std::int64_t line = 64 / static_cast<std::int64_t>(sizeof(T));
  return ((columns + line - 1) / line | 1) * line;
}

}  // namespace

template <typename T>
Patches<T>::Patches(const Geometry& geometry)
    : g_(flattened(geometry)),
      channels_(g_.in_channels / g_.groups),
      filters_(g_.out_channels / g_.groups),
      depth_(channels_ * g_.taps()),
      positions_(g_.positions()),
      size_{g_.in[0] + 2 * g_.padding[0], g_.in[1] + 2 * g_.padding[1], g_.in[2] + 2 * g_.padding[2]},
      pads_(has_padding(g_)),
      at_once_(columns_at_once<T>(depth_, positions_)),
      image_(dtype_of<T>, pads_ ? channels_ * Geometry::product(size_) : 0),
      columns_(dtype_of<T>, depth_ * row_stride<T>(at_once_)),
      offsets_(int64, depth_) {
  std::int64_t* offset = offsets_.data<std::int64_t>();
  for (std::int64_t channel = 0; channel < channels_; ++channel)
    for (std::int64_t a = 0; a < g_.kernel[0]; ++a)
      for (std::int64_t b = 0; b < g_.kernel[1]; ++b)
        for (std::int64_t c = 0; c < g_.kernel[2]; ++c)
          *offset++ = channel * Geometry::product(size_) +
                      (a * g_.dilation[0] * size_[1] + b * g_.dilation[1]) * size_[2] + c * g_.dilation[2];
}

template <typename T>
const T* Patches<T>::padded(const T* input) const {
  if (!pads_) return input;
  T* to = image_.template data<T>();
  for (std::int64_t channel = 0; channel < channels_; ++channel)
    for (std::int64_t i = 0; i < size_[0]; ++i)
      for (std::int64_t j = 0; j < size_[1]; ++j, to += size_[2]) {
        const std::int64_t x = i - g_.padding[0], y = j - g_.padding[1];
        if (x < 0 || x >= g_.in[0] || y < 0 || y >= g_.in[1]) {
          std::fill_n(to, size_[2], T(0));
          continue;
        }
        std::fill_n(to, g_.padding[2], T(0));
        std::copy_n(input + ((channel * g_.in[0] + x) * g_.in[1] + y) * g_.in[2], g_.in[2],
                    to + g_.padding[2]);
        std::fill_n(to + g_.padding[2] + g_.in[2], g_.padding[2], T(0));
      }
  return image_.template data<T>();
}

/// A panel of columns from a position on; behind the last position the last one is repeated.
template <typename T>
void Patches<T>::fill(const T* image, std::int64_t first, T* columns) const {
  constexpr std::int64_t width = panel_columns<T>;
  const std::int64_t stride = row_stride<T>(at_once_);
  const std::int64_t* const offsets = offsets_.data<std::int64_t>();
  std::int64_t places[width];
  std::int64_t k = first % g_.out[2], j = first / g_.out[2] % g_.out[1], i = first / g_.out[2] / g_.out[1];
  for (std::int64_t n = 0; n < width; ++n) {
    places[n] = (i * g_.stride[0] * size_[1] + j * g_.stride[1]) * size_[2] + k * g_.stride[2];
    if (first + n + 1 >= positions_) continue;
    if (++k < g_.out[2]) continue;
    k = 0;
    if (++j < g_.out[1]) continue;
    j = 0;
    ++i;
  }
  const std::int64_t step = places[1] - places[0];
  bool even = true;
  for (std::int64_t n = 1; n < width; ++n) even = even && places[n] - places[n - 1] == step;
  const T* const start = image + places[0];
  if (even && step == 1)
    for (std::int64_t d = 0; d < depth_; ++d, columns += stride)
      std::copy_n(start + offsets[d], width, columns);
  else if (even && step == 2)
    for (std::int64_t d = 0; d < depth_; ++d, columns += stride)
      for (std::int64_t n = 0; n < width; ++n) columns[n] = start[offsets[d] + 2 * n];
  else
    for (std::int64_t d = 0; d < depth_; ++d, columns += stride)
      for (std::int64_t n = 0; n < width; ++n) columns[n] = image[offsets[d] + places[n]];
}

template <typename T>
void Patches<T>::convolve(const T* input, const T* packed, const T* bias, T* output) const {
  const T* const image = padded(input);
  T* const columns = columns_.template data<T>();
  for (std::int64_t first = 0; first < positions_; first += at_once_) {
    const std::int64_t count = std::min(at_once_, positions_ - first);
    for (std::int64_t n = 0; n < count; n += panel_columns<T>) fill(image, first + n, columns + n);
    multiply_packed(packed, filters_, depth_, columns, row_stride<T>(at_once_), count, output + first,
                    positions_, bias);
  }
}

template class Patches<float>;
template class Patches<double>;

}  // namespace kit::program
