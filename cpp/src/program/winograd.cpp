#include "winograd.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "panels.h"

namespace kit::program::winograd {
namespace {

constexpr std::int64_t step = lanes<float>;
constexpr std::int64_t points = 16;  ///< of a transformed tile
using Lanes = Vector<float>;

/// The rows of tiles that are computed at once, and how what becomes of them lies in memory.
struct Layout {
  std::int64_t tile_columns;               ///< tiles in a row
  std::int64_t tile_rows;                  ///< in all
  std::int64_t rows_at_once;               ///< of tiles
  std::int64_t tiles;                      ///< at once, filled up
  std::int64_t padded_columns;             ///< of a channel with its padding
  std::int64_t input_plane, output_plane;  ///< elements from one point to the next

  explicit Layout(const Image& image) {
    constexpr std::int64_t most_bytes = 640 << 10;
    tile_columns = (image.out_columns + 1) / 2;
    tile_rows = (image.out_rows + 1) / 2;
    const std::int64_t row_bytes = (image.channels + image.filters) * points * tile_columns * 4;
    // Weights are read once for all tiles at once: with few tiles, that would be what takes the time.
    const std::int64_t least = (48 + tile_columns - 1) / tile_columns;
    rows_at_once = std::min(tile_rows, std::max(most_bytes / row_bytes, least));
    // An odd number of cache lines, or the rows of a panel would compete for the same few places.
    const std::int64_t lines = (rows_at_once * tile_columns + 15) / 16;
    tiles = (lines | 1) * 16;
    padded_columns = 2 * tile_columns + 2 * step + 2;
    input_plane = image.channels * tiles + step;
    output_plane = image.filters * tiles + step;
  }
};

template <typename Index, int... Places>
Lanes shuffled(Lanes a, Lanes b, Index index, std::integer_sequence<int, Places...> /*all*/) {
  return __builtin_shufflevector(a, b, index(Places)...);
}
template <typename Index>
Lanes shuffled(Lanes a, Lanes b, Index index) {
  return shuffled(a, b, index, std::make_integer_sequence<int, static_cast<int>(step)>());
}
/// Of two vectors one behind the other, each second element; and the other way.
Lanes evens(Lanes a, Lanes b) {
  return shuffled(a, b, [](int i) { return 2 * i; });
}
Lanes odds(Lanes a, Lanes b) {
  return shuffled(a, b, [](int i) { return 2 * i + 1; });
}
Lanes first_half(Lanes even, Lanes odd) {
  return shuffled(even, odd, [](int i) { return i / 2 + (i % 2) * static_cast<int>(step); });
}
Lanes second_half(Lanes even, Lanes odd) {
  return shuffled(even, odd,
                  [](int i) { return (i + static_cast<int>(step)) / 2 + (i % 2) * static_cast<int>(step); });
}

/// Whether no pixel is so much larger than most that what is rounded of it in a tile would show in outputs of
/// the tile that do not see it. False if one is not finite.
bool of_one_size(const float* pixels, std::int64_t count) {
  constexpr float most_times = 64;
  Lanes sums{}, largest{};
  float sum = 0, most = 0;
  const std::int64_t whole = count - count % step;
  for (std::int64_t n = 0; n < whole; n += step) {
    const Lanes values = load(pixels + n);
    const Lanes sizes = values < 0.0F ? -values : values;
    sums += sizes;
    largest = sizes > largest ? sizes : largest;
  }
  for (std::int64_t n = whole; n < count; ++n) {
    sum += std::abs(pixels[n]);
    most = std::max(most, std::abs(pixels[n]));
  }
  for (std::int64_t i = 0; i < step; ++i) {
    sum += sums[i];
    most = std::max(most, float{largest[i]});
  }
  return most <= std::numeric_limits<float>::max() &&
         most <= most_times * (sum / static_cast<float>(std::max(count, std::int64_t{1})));
}

/// The pixels of a channel that rows of tiles see, with the padding around them.
void pad(const Image& image, const Layout& layout, const float* channel, std::int64_t first_tile,
         std::int64_t tile_rows, float* padded) {
  const std::int64_t columns = std::min(image.in_columns, layout.padded_columns - image.column_padding);
  const std::int64_t behind = layout.padded_columns - image.column_padding - columns;
  for (std::int64_t i = 0; i < 2 * tile_rows + 2; ++i, padded += layout.padded_columns) {
    const std::int64_t row = 2 * first_tile + i - image.row_padding;
    if (row < 0 || row >= image.in_rows) {
      std::fill_n(padded, layout.padded_columns, 0.0F);
      continue;
    }
    std::fill_n(padded, image.column_padding, 0.0F);
    std::copy_n(channel + row * image.in_columns, columns, padded + image.column_padding);
    std::fill_n(padded + image.column_padding + columns, behind, 0.0F);
  }
}

/// Transforms rows of tiles of one channel: point p of tile t goes to to[p * plane + t].
void transform_input(const Layout& layout, const float* padded, std::int64_t rows, float* to) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const float* const top = padded + 2 * row * layout.padded_columns;
    for (std::int64_t tile = 0; tile < layout.tile_columns; tile += step) {
      float* const target = to + row * layout.tile_columns + tile;
      // The vectors of pixels that start at the tiles, and two columns further.
      Lanes pixels[4][4];
      for (int i = 0; i < 4; ++i) {
        const float* const from = top + i * layout.padded_columns + 2 * tile;
        pixels[i][0] = load(from);
        pixels[i][1] = load(from + step);
        pixels[i][2] = load(from + 2);
        pixels[i][3] = load(from + step + 2);
      }
      for (int i = 0; i < 4; ++i) {
        Lanes sums[4];
        for (int v = 0; v < 4; ++v) {
          if (i == 0) sums[v] = pixels[0][v] - pixels[2][v];
          if (i == 1) sums[v] = pixels[1][v] + pixels[2][v];
          if (i == 2) sums[v] = pixels[2][v] - pixels[1][v];
          if (i == 3) sums[v] = pixels[1][v] - pixels[3][v];
        }
        const Lanes one = evens(sums[0], sums[1]), two = odds(sums[0], sums[1]);
        const Lanes three = evens(sums[2], sums[3]), four = odds(sums[2], sums[3]);
        float* const point = target + i * 4 * layout.input_plane;
        store(point, one - three);
        store(point + layout.input_plane, two + three);
        store(point + 2 * layout.input_plane, three - two);
        store(point + 3 * layout.input_plane, two - four);
      }
    }
  }
}

/// Transforms what the products gave for rows of tiles of one filter back. Gives 0, or NaN if any output is
/// not finite.
float transform_output(const Image& image, const Layout& layout, const float* from, std::int64_t first,
                       std::int64_t rows, float bias, float* output) {
  Lanes finite{};
  float finite_tail = 0;
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t y = 2 * (first + row);
    for (std::int64_t tile = 0; tile < layout.tile_columns; tile += step) {
      const float* const source = from + row * layout.tile_columns + tile;
      Lanes sums[2][4];
      for (int j = 0; j < 4; ++j) {
        Lanes point[4];
        for (int i = 0; i < 4; ++i) point[i] = load(source + (i * 4 + j) * layout.output_plane);
        sums[0][j] = point[0] + point[1] + point[2];
        sums[1][j] = point[1] - point[2] - point[3];
      }
      const std::int64_t x = 2 * tile, width = std::min(2 * step, image.out_columns - x);
      for (int i = 0; i < 2 && y + i < image.out_rows; ++i) {
        const Lanes even = sums[i][0] + sums[i][1] + sums[i][2] + bias;
        const Lanes odd = sums[i][1] - sums[i][2] - sums[i][3] + bias;
        float* const to = output + (y + i) * image.out_columns + x;
        if (width == 2 * step) {
          store(to, first_half(even, odd));
          store(to + step, second_half(even, odd));
          finite += even * 0.0F;
          finite += odd * 0.0F;
        } else {
          float values[2 * step];
          store(values, first_half(even, odd));
          store(values + step, second_half(even, odd));
          for (std::int64_t k = 0; k < width; ++k) {
            to[k] = values[k];
            finite_tail += values[k] * 0.0F;
          }
        }
      }
    }
  }
  for (std::int64_t i = 0; i < step; ++i) finite_tail += finite[i];
  return finite_tail;
}

}  // namespace

void transform_weights(const float* weights, std::int64_t filters, std::int64_t channels,
                       float* transformed) {
  const std::int64_t size = filters * channels;
  std::vector<float> plain(static_cast<std::size_t>(weights_size(filters, channels)));
  for (std::int64_t n = 0; n < size; ++n) {
    const float* const w = weights + n * 9;
    // In double, for what is lost here is lost in each output.
    double rows[4][3];
    for (int j = 0; j < 3; ++j) {
      const double a = w[j], b = w[3 + j], c = w[6 + j];
      rows[0][j] = a;
      rows[1][j] = (a + b + c) / 2;
      rows[2][j] = (a - b + c) / 2;
      rows[3][j] = c;
    }
    for (int i = 0; i < 4; ++i) {
      const double a = rows[i][0], b = rows[i][1], c = rows[i][2];
      const double results[] = {a, (a + b + c) / 2, (a - b + c) / 2, c};
      for (int j = 0; j < 4; ++j)
        plain[static_cast<std::size_t>((i * 4 + j) * size + n)] = static_cast<float>(results[j]);
    }
  }
  for (std::int64_t point = 0; point < points; ++point)
    pack(plain.data() + point * size, filters, channels, channels, 1, transformed + point * size);
}

std::int64_t scratch_size(const Image& image) {
  const Layout layout(image);
  return points * (layout.input_plane + layout.output_plane) +
         (2 * layout.rows_at_once + 2) * layout.padded_columns;
}

bool convolve(const Image& image, const float* input, const float* weights, const float* bias, float* output,
              float* scratch) {
  if (!of_one_size(input, image.channels * image.in_rows * image.in_columns)) return false;
  const Layout layout(image);
  float* const transformed = scratch;
  float* const products = transformed + points * layout.input_plane;
  float* const padded = products + points * layout.output_plane;
  float finite = 0;
  for (std::int64_t first = 0; first < layout.tile_rows; first += layout.rows_at_once) {
    const std::int64_t rows = std::min(layout.rows_at_once, layout.tile_rows - first);
    const std::int64_t tiles = rows * layout.tile_columns, filled = (tiles + step - 1) / step * step;
    for (std::int64_t c = 0; c < image.channels; ++c) {
      pad(image, layout, input + c * image.in_rows * image.in_columns, first, rows, padded);
      transform_input(layout, padded, rows, transformed + c * layout.tiles);
      for (std::int64_t point = 0; point < points; ++point)
        std::fill_n(transformed + point * layout.input_plane + c * layout.tiles + tiles, filled - tiles,
                    0.0F);
    }
    for (std::int64_t point = 0; point < points; ++point)
      multiply_packed<float>(weights + point * image.filters * image.channels, image.filters, image.channels,
                             transformed + point * layout.input_plane, layout.tiles, filled,
                             products + point * layout.output_plane, layout.tiles, nullptr);
    for (std::int64_t f = 0; f < image.filters; ++f)
      finite +=
          transform_output(image, layout, products + f * layout.tiles, first, rows,
                           bias != nullptr ? bias[f] : 0.0F, output + f * image.out_rows * image.out_columns);
  }
  return finite == 0.0F;
}

}  // namespace kit::program::winograd
