#pragma once

#include <cstdint>

namespace kit::program {

/// A matrix anywhere in memory: element (i, j) is at data + i * row_stride + j * column_stride, in elements.
struct Matrix {
  void* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t row_stride = 0;
  std::int64_t column_stride = 1;

  Matrix transposed() const noexcept { return {data, columns, rows, column_stride, row_stride}; }
};

}  // namespace kit::program
