#include "panels.h"

#include <algorithm>
#include <utility>

namespace kit::program {
namespace {

/// What is multiplied before the sums are put down, so that a panel of b stays in the first cache.
constexpr std::int64_t depth_at_once = 512;

/// How far ahead weights are fetched that are used once, from beyond the caches, in elements.
constexpr std::int64_t ahead = 512;

/// Where the sums of a tile start.
enum class Start : std::uint8_t { zero, bias, sums };

template <typename T>
struct Tile {
  std::int64_t depth;
  const T* a;
  const T* b;
  std::int64_t b_stride;
  T* c;
  std::int64_t c_stride;
  const T* bias;
  Start start;
};

/// Rows × Vectors sums, all of which stay in registers.
template <typename T, int Rows, int Vectors>
void compute(const Tile<T>& tile) {
  constexpr std::int64_t step = lanes<T>;
  Vector<T> sums[Rows][Vectors];
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) {
      if (tile.start == Start::sums)
        sums[i][v] = load(tile.c + i * tile.c_stride + v * step);
      else
        sums[i][v] = all(tile.start == Start::bias ? tile.bias[i] : T(0));
    }
  }
  const T* a = tile.a;
  const T* b = tile.b;
  for (std::int64_t k = 0; k < tile.depth; ++k, a += Rows, b += tile.b_stride) {
    __builtin_prefetch(a + ahead);
    Vector<T> right[Vectors];
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) right[v] = load(b + v * step);
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) {
      const Vector<T> left = all(a[i]);
#pragma GCC unroll 2
      for (int v = 0; v < Vectors; ++v) sums[i][v] = multiply_add(left, right[v], sums[i][v]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) store(tile.c + i * tile.c_stride + v * step, sums[i][v]);
  }
}

template <typename T>
using Compute = void (*)(const Tile<T>&);

template <typename T, int... Rows>
Compute<T> choose(std::int64_t rows, bool wide, std::integer_sequence<int, Rows...>) {
  static constexpr Compute<T> narrow_ones[] = {compute<T, Rows + 1, 1>...};
  static constexpr Compute<T> wide_ones[] = {compute<T, Rows + 1, 2>...};
  return (wide ? wide_ones : narrow_ones)[rows - 1];
}

/// A tile whose last columns are not there: computed beside, and then copied.
template <typename T>
void compute_part(Tile<T> tile, Compute<T> run, std::int64_t rows, std::int64_t columns) {
  T beside[panel_rows * panel_columns<T>] = {};
  T* const c = tile.c;
  const std::int64_t stride = tile.c_stride;
  if (tile.start == Start::sums)
    for (std::int64_t i = 0; i < rows; ++i)
      std::copy_n(c + i * stride, columns, beside + i * panel_columns<T>);
  tile.c = beside;
  tile.c_stride = panel_columns<T>;
  run(tile);
  for (std::int64_t i = 0; i < rows; ++i) std::copy_n(beside + i * panel_columns<T>, columns, c + i * stride);
}

}  // namespace

template <typename T>
void pack(const T* from, std::int64_t rows, std::int64_t depth, std::int64_t row_stride,
          std::int64_t column_stride, T* packed) {
  for (std::int64_t first = 0; first < rows; first += panel_rows) {
    const std::int64_t count = std::min<std::int64_t>(panel_rows, rows - first);
    for (std::int64_t k = 0; k < depth; ++k)
      for (std::int64_t i = 0; i < count; ++i) *packed++ = from[(first + i) * row_stride + k * column_stride];
  }
}

template <typename T>
void multiply_packed(const T* a, std::int64_t rows, std::int64_t depth, const T* b, std::int64_t b_stride,
                     std::int64_t columns, T* c, std::int64_t c_stride, const T* bias) {
  constexpr auto heights = std::make_integer_sequence<int, panel_rows>{};
  const std::int64_t tail = rows % panel_rows;
  const Start first_start = bias != nullptr ? Start::bias : Start::zero;
  std::int64_t k = 0;
  do {
    const std::int64_t count = std::min(depth_at_once, depth - k);
    for (std::int64_t j = 0; j < columns; j += panel_columns<T>) {
      const std::int64_t width = std::min(panel_columns<T>, columns - j);
      const bool wide = width > lanes<T>;
      const Compute<T> whole = choose<T>(panel_rows, wide, heights);
      for (std::int64_t i = 0; i < rows; i += panel_rows) {
        const std::int64_t height = std::min<std::int64_t>(panel_rows, rows - i);
        const Compute<T> run = height == panel_rows ? whole : choose<T>(tail, wide, heights);
        const Tile<T> tile{count,
                           a + i * depth + k * height,
                           b + k * b_stride + j,
                           b_stride,
                           c + i * c_stride + j,
                           c_stride,
                           bias != nullptr ? bias + i : nullptr,
                           k == 0 ? first_start : Start::sums};
        if (width % lanes<T> == 0)
          run(tile);
        else
          compute_part(tile, run, height, width);
      }
    }
    k += count;
  } while (k < depth);
}

#define KIT_PANELS(T)                                                                            \
  template void pack<T>(const T*, std::int64_t, std::int64_t, std::int64_t, std::int64_t, T*);   \
  template void multiply_packed<T>(const T*, std::int64_t, std::int64_t, const T*, std::int64_t, \
                                   std::int64_t, T*, std::int64_t, const T*);
KIT_PANELS(float)
KIT_PANELS(double)

}  // namespace kit::program
