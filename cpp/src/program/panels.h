#pragma once

#include <cstdint>

#include "vectors.h"

/// Matrix products with a left operand that is packed once and used many times: the weights of a layer.
namespace kit::program {

/// Columns of the right operand that are computed with at once.
template <typename T>
inline constexpr std::int64_t panel_columns = 2 * lanes<T>;

/// Rows that are computed at once: as many as there are registers for the sums.
#if defined(__AVX512F__)
inline constexpr int panel_rows = 8;
#else
inline constexpr int panel_rows = 6;
#endif

/// Packs a row-major matrix: panels of `panel_rows` rows, column after column; the last one has what rows are
/// left. `packed` takes rows · depth elements. Element (i, k) is at from[i * row_stride + k * column_stride].
template <typename T>
void pack(const T* from, std::int64_t rows, std::int64_t depth, std::int64_t row_stride,
          std::int64_t column_stride, T* packed);

/// c = a · b + bias, of a packed a[rows × depth] and row-major b[depth × columns] and c[rows × columns].
///
/// b: readable up to the next multiple of `lanes<T>` columns; what is there does not count. bias: one number
/// a row, or null for 0. Each sum is taken in the order of the depth, whatever the other sizes are.
template <typename T>
void multiply_packed(const T* a, std::int64_t rows, std::int64_t depth, const T* b, std::int64_t b_stride,
                     std::int64_t columns, T* c, std::int64_t c_stride, const T* bias);

}  // namespace kit::program
