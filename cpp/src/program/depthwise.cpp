#include "depthwise.h"

#include <algorithm>
#include <utility>

#include "vectors.h"

namespace kit::program {
namespace {

/// Most vectors of output that are computed at once, in registers.
constexpr std::int64_t vectors = 8;

/// `count` vectors of output from where `image` points to.
template <std::int64_t count, typename T>
void sum(const T* image, const T* taps, const std::int64_t* offsets, std::int64_t size, T bias, T* output) {
  Vector<T> sums[count];
  for (std::int64_t i = 0; i < count; ++i) sums[i] = all(bias);
  for (std::int64_t tap = 0; tap < size; ++tap) {
    const T* const from = image + offsets[tap];
    const Vector<T> factor = all(taps[tap]);
    for (std::int64_t i = 0; i < count; ++i)
      sums[i] = multiply_add(load(from + i * lanes<T>), factor, sums[i]);
  }
  for (std::int64_t i = 0; i < count; ++i) store(output + i * lanes<T>, sums[i]);
}

/// The same for a count that is known when it runs.
template <typename T, std::size_t... I>
void sum(std::int64_t count, const T* image, const T* taps, const std::int64_t* offsets, std::int64_t size,
         T bias, T* output, std::index_sequence<I...>) {
  ((count == I + 1 ? sum<I + 1>(image, taps, offsets, size, bias, output) : void()), ...);
}

}  // namespace

template <typename T>
Depthwise<T>::Depthwise(const Geometry& geometry)
    : g_(geometry),
      rows_{g_.in[0] + 2 * g_.padding[0], g_.in[1] + 2 * g_.padding[1]},
      part_((g_.in[2] + 2 * g_.padding[2] + g_.stride[2] - 1) / g_.stride[2]),
      // Behind the last row there is as much as is read with it for nothing.
      image_(dtype_of<T>, rows_[0] * rows_[1] * part_ * g_.stride[2] + vectors * lanes<T>),
      offsets_(int64, g_.taps()) {
  const std::int64_t size = rows_[0] * rows_[1] * part_ * g_.stride[2] + vectors * lanes<T>;
  std::fill_n(image_.template data<T>(), size, T(0));
  std::int64_t* offset = offsets_.data<std::int64_t>();
  for (std::int64_t a = 0; a < g_.kernel[0]; ++a)
    for (std::int64_t b = 0; b < g_.kernel[1]; ++b)
      for (std::int64_t c = 0; c < g_.kernel[2]; ++c) {
        const std::int64_t row = a * g_.dilation[0] * rows_[1] + b * g_.dilation[1];
        const std::int64_t column = c * g_.dilation[2];
        *offset++ = (row * g_.stride[2] + column % g_.stride[2]) * part_ + column / g_.stride[2];
      }
}

template <typename T>
void Depthwise<T>::spread(const T* input) const {
  const std::int64_t stride = g_.stride[2], padding = g_.padding[2];
  for (std::int64_t i = 0; i < g_.in[0]; ++i)
    for (std::int64_t j = 0; j < g_.in[1]; ++j, input += g_.in[2]) {
      const std::int64_t row = (i + g_.padding[0]) * rows_[1] + j + g_.padding[1];
      for (std::int64_t first = 0; first < stride; ++first) {
        const std::int64_t column = first + padding;
        T* to = image_.template data<T>() + (row * stride + column % stride) * part_ + column / stride;
        for (std::int64_t k = first; k < g_.in[2]; k += stride) *to++ = input[k];
      }
    }
}

template <typename T>
void Depthwise<T>::row(const T* image, const T* taps, T bias, T* output) const {
  constexpr std::int64_t width = vectors * lanes<T>;
  const std::int64_t* const offsets = offsets_.template data<std::int64_t>();
  for (std::int64_t k = 0, left = g_.out[2]; left > 0; k += width, left -= width) {
    const std::int64_t count = std::min(vectors, (left + lanes<T> - 1) / lanes<T>);
    const auto run = [&](T* to) {
      sum(count, image + k, taps, offsets, g_.taps(), bias, to, std::make_index_sequence<vectors>());
    };
    if (count * lanes<T> <= left) {
      run(output + k);
      continue;
    }
    T last[width];
    run(last);
    std::copy_n(last, left, output + k);
  }
}

template <typename T>
void Depthwise<T>::convolve(const T* input, const T* weight, const T* bias, T* output) const {
  const std::int64_t filters = g_.out_channels / g_.groups, row_size = part_ * g_.stride[2];
  for (std::int64_t n = 0; n < g_.batch * g_.groups; ++n, input += g_.pixels()) {
    spread(input);
    for (std::int64_t f = 0; f < filters; ++f) {
      const std::int64_t channel = n % g_.groups * filters + f;
      for (std::int64_t i = 0; i < g_.out[0]; ++i)
        for (std::int64_t j = 0; j < g_.out[1]; ++j, output += g_.out[2])
          row(image_.template data<T>() + (i * g_.stride[0] * rows_[1] + j * g_.stride[1]) * row_size,
              weight + channel * g_.taps(), bias != nullptr ? bias[channel] : T(0), output);
    }
  }
}

template class Depthwise<float>;
template class Depthwise<double>;

}  // namespace kit::program
