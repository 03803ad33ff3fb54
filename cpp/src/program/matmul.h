#pragma once

#include "tensor.h"

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

/// The last two dimensions of a tensor.
Matrix matrix_of(const AtenTensorOpaque& tensor) noexcept;

/// out = alpha · a · b + beta · out. Elements of 16 bits are summed in float32, integers wrap around. With
/// beta 0 what is in out does not count, not even NaN. Throws for a dtype that has no product.
void multiply(std::int32_t dtype, const Matrix& a, const Matrix& b, const Matrix& out, double alpha = 1,
              double beta = 0);

}  // namespace kit::program
