#pragma once

#include <cstdint>

/// Winograd's minimal filtering F(2×2, 3×3) (https://arxiv.org/abs/1509.09308): a convolution with 3×3 taps
/// and stride 1 in 16 products where the direct way takes 36. Outputs are computed in tiles of 2×2, of which
/// each sees 4×4 pixels.
namespace kit::program::winograd {

/// Elements of the transformed weights.
constexpr std::int64_t weights_size(std::int64_t filters, std::int64_t channels) {
  return 16 * filters * channels;
}

/// Transforms weights, filters × channels × 3 × 3 and row-major, and packs them.
void transform_weights(const float* weights, std::int64_t filters, std::int64_t channels, float* transformed);

/// One image: channels × in_rows × in_columns → filters × out_rows × out_columns, all row-major. The padding
/// before the first row and column is given, that behind the last is what the outputs need.
struct Image {
  std::int64_t channels, filters;
  std::int64_t in_rows, in_columns, out_rows, out_columns;
  std::int64_t row_padding, column_padding;
};

/// Elements of the memory that `convolve` works in.
std::int64_t scratch_size(const Image& image);

/// Convolves with transformed weights; bias may be null. False if an output is not finite: then the outputs
/// do not count, for what is infinite or NaN has spread from a pixel to outputs that do not see it.
bool convolve(const Image& image, const float* input, const float* weights, const float* bias, float* output,
              float* scratch);

}  // namespace kit::program::winograd
