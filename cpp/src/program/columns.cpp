#include "columns.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

namespace kit::program {
namespace {

/// Rows that are computed at once: as many as there are registers for the sums.
#if defined(__AVX512F__)
constexpr int rows_at_once = 8;
#else
constexpr int rows_at_once = 6;
#endif

/// What is multiplied before the sums are put down, so that a panel of b stays in the first cache.
constexpr std::int64_t depth_at_once = 256;

template <typename T>
struct Tile {
  std::int64_t depth;
  const T* a;
  std::int64_t a_stride;
  const T* b;
  T* c;
  std::int64_t c_stride;
  bool adds;  ///< to what is in c
};

/// The sums of as many rows and a panel's columns, all of which stay in registers.
template <typename T, int Rows>
void compute(const Tile<T>& tile) {
  constexpr std::int64_t step = lanes<T>;
  Vector<T> sums[Rows][2] = {};
  if (tile.adds)
    for (int i = 0; i < Rows; ++i)
      for (int v = 0; v < 2; ++v) sums[i][v] = load(tile.c + i * tile.c_stride + v * step);
  const T* const a = tile.a;
  const T* b = tile.b;
  for (std::int64_t k = 0; k < tile.depth; ++k, b += packed_columns<T>) {
    const Vector<T> first = load(b), second = load(b + step);
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) {
      const Vector<T> left = all(a[i * tile.a_stride + k]);
      sums[i][0] = multiply_add(left, first, sums[i][0]);
      sums[i][1] = multiply_add(left, second, sums[i][1]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i)
    for (int v = 0; v < 2; ++v) store(tile.c + i * tile.c_stride + v * step, sums[i][v]);
}

template <typename T>
using Compute = void (*)(const Tile<T>&);

template <typename T, int... Rows>
Compute<T> choose(std::int64_t rows, std::integer_sequence<int, Rows...> /*all*/) {
  static constexpr Compute<T> ones[] = {compute<T, Rows + 1>...};
  return ones[rows - 1];
}

using Quarter = float __attribute__((vector_size(16)));

/// Four columns of as many rows as a vector has numbers, each 4 numbers of a row without gaps, as four rows.
void transpose(const float* from, std::int64_t row_stride, float* to) {
  constexpr int quarters = static_cast<int>(lanes<float>) / 4;
  Quarter columns[4][quarters];
  for (int q = 0; q < quarters; ++q) {
    Quarter rows[4];
    for (int i = 0; i < 4; ++i) __builtin_memcpy(&rows[i], from + (4 * q + i) * row_stride, sizeof rows[i]);
    const Quarter low = __builtin_shufflevector(rows[0], rows[1], 0, 4, 1, 5),
                  high = __builtin_shufflevector(rows[0], rows[1], 2, 6, 3, 7),
                  lower = __builtin_shufflevector(rows[2], rows[3], 0, 4, 1, 5),
                  higher = __builtin_shufflevector(rows[2], rows[3], 2, 6, 3, 7);
    columns[0][q] = __builtin_shufflevector(low, lower, 0, 1, 4, 5);
    columns[1][q] = __builtin_shufflevector(low, lower, 2, 3, 6, 7);
    columns[2][q] = __builtin_shufflevector(high, higher, 0, 1, 4, 5);
    columns[3][q] = __builtin_shufflevector(high, higher, 2, 3, 6, 7);
  }
  for (int k = 0; k < 4; ++k)
    for (int q = 0; q < quarters; ++q)
      __builtin_memcpy(to + k * packed_columns<float> + 4 * q, &columns[k][q], sizeof(Quarter));
}

}  // namespace

template <typename T, typename From>
void pack_columns(const Matrix& from, T* packed) {
  constexpr std::int64_t width = packed_columns<T>;
  const From* const data = static_cast<const From*>(from.data);
  for (std::int64_t first = 0; first < from.columns; first += width, packed += width * from.rows) {
    const std::int64_t count = std::min(width, from.columns - first);
    std::int64_t k = 0;
    if constexpr (std::is_same_v<T, float> && std::is_same_v<From, float>)
      if (from.row_stride == 1 && count == width)
        for (; k + 4 <= from.rows; k += 4)
          for (std::int64_t j = 0; j < width; j += lanes<T>)
            transpose(data + (first + j) * from.column_stride + k, from.column_stride,
                      packed + k * width + j);
    for (; k < from.rows; ++k) {
      const From* const row = data + k * from.row_stride + first * from.column_stride;
      T* const to = packed + k * width;
      if (from.column_stride == 1 && count == width)
        for (std::int64_t j = 0; j < width; ++j) to[j] = static_cast<T>(row[j]);
      else
        for (std::int64_t j = 0; j < width; ++j)
          to[j] = j < count ? static_cast<T>(row[j * from.column_stride]) : T(0);
    }
  }
}

template <typename T>
void multiply_columns(const T* a, std::int64_t rows, std::int64_t depth, std::int64_t a_stride, const T* b,
                      std::int64_t packed_rows, std::int64_t columns, T* c, std::int64_t c_stride) {
  constexpr std::int64_t width = packed_columns<T>;
  constexpr auto heights = std::make_integer_sequence<int, rows_at_once>{};
  if (rows == 0) return;
  // Tiles of almost equal heights: one of few rows would take almost as long as one of many.
  const std::int64_t tiles = (rows + rows_at_once - 1) / rows_at_once;
  std::int64_t k = 0;
  do {
    const std::int64_t count = std::min(depth_at_once, depth - k);
    for (std::int64_t j = 0; j < columns; j += width) {
      std::int64_t i = 0;
      for (std::int64_t left = tiles; left > 0; --left) {
        const std::int64_t height = (rows - i + left - 1) / left;
        const Compute<T> run = choose<T>(height, heights);
        run({count, a + i * a_stride + k, a_stride, b + j * packed_rows + k * width, c + i * c_stride + j,
             c_stride, k != 0});
        i += height;
      }
    }
    k += count;
  } while (k < depth);
}

template void pack_columns<float, float>(const Matrix&, float*);
template void pack_columns<float, c10::Half>(const Matrix&, float*);
template void pack_columns<float, c10::BFloat16>(const Matrix&, float*);
template void pack_columns<double, double>(const Matrix&, double*);
template void multiply_columns<float>(const float*, std::int64_t, std::int64_t, std::int64_t, const float*,
                                      std::int64_t, std::int64_t, float*, std::int64_t);
template void multiply_columns<double>(const double*, std::int64_t, std::int64_t, std::int64_t, const double*,
                                       std::int64_t, std::int64_t, double*, std::int64_t);

}  // namespace kit::program
