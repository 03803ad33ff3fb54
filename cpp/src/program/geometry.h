#pragma once

#include <algorithm>
#include <cstdint>

/// What a convolution sees of its input, and where.
namespace kit::program {

inline constexpr std::int64_t most_dims = 3;

/// One convolution, with 1 to 3 dimensions of space made 3 by leading ones of size 1.
struct Geometry {
  std::int64_t batch, groups, in_channels, out_channels;  ///< channels of all groups
  std::int64_t in[most_dims], out[most_dims], kernel[most_dims], stride[most_dims], padding[most_dims],
      dilation[most_dims];

  static std::int64_t product(const std::int64_t* sizes) { return sizes[0] * sizes[1] * sizes[2]; }
  std::int64_t positions() const { return product(out); }
  std::int64_t pixels() const { return product(in); }
  std::int64_t taps() const { return product(kernel); }
  /// Whether each output channel sees one input channel alone.
  bool depthwise() const { return in_channels == groups; }
  /// Whether each output pixel sees the input pixel at its own place alone.
  bool pointwise() const {
    for (int i = 0; i < most_dims; ++i)
      if (kernel[i] != 1 || stride[i] != 1 || padding[i] != 0) return false;
    return true;
  }
};

/// The range of output positions [begin, end) along a dimension whose tap falls inside the input.
inline void inside(const Geometry& g, int dim, std::int64_t tap, std::int64_t& begin, std::int64_t& end) {
  const std::int64_t shift = tap * g.dilation[dim] - g.padding[dim];
  begin = shift >= 0 ? 0 : std::min(g.out[dim], (-shift + g.stride[dim] - 1) / g.stride[dim]);
  end = g.in[dim] - shift <= 0
            ? 0
            : std::min(g.out[dim], (g.in[dim] - shift + g.stride[dim] - 1) / g.stride[dim]);
  end = std::max(begin, end);
}

/// Calls `row(tap, position, pixel, begin, end)` for each tap of a channel and each row of output positions:
/// those from begin to end, of a row that starts at `position`, see the pixels from `pixel` on, one stride
/// further each.
template <typename Row>
void walk(const Geometry& g, Row&& row) {
  std::int64_t tap = 0;
  for (std::int64_t a = 0; a < g.kernel[0]; ++a)
    for (std::int64_t b = 0; b < g.kernel[1]; ++b)
      for (std::int64_t c = 0; c < g.kernel[2]; ++c, ++tap) {
        std::int64_t begin = 0, end = 0;
        inside(g, 2, c, begin, end);
        const std::int64_t z = begin * g.stride[2] + c * g.dilation[2] - g.padding[2];
        for (std::int64_t r = 0; r < g.out[0] * g.out[1]; ++r) {
          const std::int64_t i = r / g.out[1], j = r % g.out[1];
          const std::int64_t x = i * g.stride[0] + a * g.dilation[0] - g.padding[0];
          const std::int64_t y = j * g.stride[1] + b * g.dilation[1] - g.padding[1];
          const bool seen = x >= 0 && x < g.in[0] && y >= 0 && y < g.in[1];
          row(tap, r * g.out[2], (x * g.in[1] + y) * g.in[2] + z, seen ? begin : 0, seen ? end : 0);
        }
      }
}

}  // namespace kit::program
