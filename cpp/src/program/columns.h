#pragma once

#include "matrix.h"
#include "vectors.h"

/// Matrix products with a right operand that is packed in panels of columns, for the small matrices of one
/// head of attention.
namespace kit::program {

/// Columns of a panel.
template <typename T>
inline constexpr std::int64_t packed_columns = 2 * lanes<T>;

/// The columns of as many panels as there must be for so many.
template <typename T>
std::int64_t whole_panels(std::int64_t columns) noexcept {
  return (columns + packed_columns<T> - 1) / packed_columns<T> * packed_columns<T>;
}

/// Elements that a matrix takes when it is packed: the last panel is filled up.
template <typename T>
std::int64_t packed_size(std::int64_t rows, std::int64_t columns) noexcept {
  return whole_panels<T>(columns) * rows;
}

/// Packs a matrix of elements of type From, panel after panel, row after row. What fills up the last one is
/// 0.
template <typename T, typename From>
void pack_columns(const Matrix& from, T* packed);

/// c[rows × columns] = a[rows × depth] · b, of row-major a and c, and the first rows and panels of a packed
/// b, which has `packed_rows` rows in all. columns: those of whole panels. Each sum is taken in the order of
/// the depth.
template <typename T>
void multiply_columns(const T* a, std::int64_t rows, std::int64_t depth, std::int64_t a_stride, const T* b,
                      std::int64_t packed_rows, std::int64_t columns, T* c, std::int64_t c_stride);

}  // namespace kit::program
