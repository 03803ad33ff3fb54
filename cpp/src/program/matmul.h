#pragma once

#include "matrix.h"
#include "tensor.h"

namespace kit::program {

/// The last two dimensions of a tensor.
Matrix matrix_of(const AtenTensorOpaque& tensor) noexcept;

/// out = alpha · a · b + beta · out. Elements of 16 bits are summed in float32, integers wrap around. With
/// beta 0 what is in out does not count, not even NaN. Throws for a dtype that has no product.
void multiply(std::int32_t dtype, const Matrix& a, const Matrix& b, const Matrix& out, double alpha = 1,
              double beta = 0);

}  // namespace kit::program
