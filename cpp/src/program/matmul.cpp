// Matrix products that Inductor made no kernel for, through Eigen (https://eigen.tuxfamily.org).

#include "matmul.h"

#include <algorithm>
#include <stdexcept>
#include <type_traits>
#include <vector>

#define EIGEN_DONT_PARALLELIZE
#define EIGEN_NO_DEBUG
#include <Eigen/Core>

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <torch/csrc/inductor/aoti_torch/generated/c_shim_cpu.h>

namespace kit::program {
namespace {

template <typename T, int Order>
using Dense = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Order>;
template <typename T, int Order>
using View = Eigen::Map<Dense<T, Order>, Eigen::Unaligned, Eigen::OuterStride<>>;

bool is_row_major(const Matrix& m) { return m.column_stride == 1 || m.columns == 1; }
bool is_column_major(const Matrix& m) { return m.row_stride == 1 || m.rows == 1; }

/// The outer stride; any will do where there is but one row (or column).
std::int64_t outer(std::int64_t stride, std::int64_t inner) { return stride < inner ? inner : stride; }

/// A copy without gaps, of elements of another type perhaps.
template <typename To, typename From>
Matrix packed(const Matrix& m, std::vector<To>& memory) {
  memory.resize(static_cast<std::size_t>(m.rows * m.columns));
  const From* const data = static_cast<const From*>(m.data);
  for (std::int64_t i = 0; i < m.rows; ++i)
    for (std::int64_t j = 0; j < m.columns; ++j)
      memory[static_cast<std::size_t>(i * m.columns + j)] =
          static_cast<To>(data[i * m.row_stride + j * m.column_stride]);
  return {memory.data(), m.rows, m.columns, m.columns, 1};
}

template <typename T, typename Out, typename A, typename B>
void into(Out& out, const A& a, const B& b, T alpha, T beta) {
  if (beta == T(0))
    out.setZero();
  else if (beta != T(1))
    out *= beta;
  out.noalias() += (alpha * a) * b;
}

template <typename T, int A, int B>
void dense(const Matrix& a, const Matrix& b, const Matrix& out, T alpha, T beta) {
  const auto view = [](const Matrix& m, auto order) {
    constexpr int layout = decltype(order)::value;
    const std::int64_t stride =
        layout == Eigen::RowMajor ? outer(m.row_stride, m.columns) : outer(m.column_stride, m.rows);
    return View<T, layout>(static_cast<T*>(m.data), m.rows, m.columns, Eigen::OuterStride<>(stride));
  };
  const auto left = view(a, std::integral_constant<int, A>{});
  const auto right = view(b, std::integral_constant<int, B>{});
  auto result = view(out, std::integral_constant<int, Eigen::RowMajor>{});
  into<T>(result, left, right, alpha, beta);
}

template <typename T>
void strided(Matrix a, Matrix b, Matrix out, T alpha, T beta) {
  if (!is_row_major(out)) {  // (a b)ᵀ = bᵀ aᵀ
    const Matrix left = b.transposed();
    b = a.transposed();
    a = left;
    out = out.transposed();
  }
  std::vector<T> packed_a, packed_b, packed_out;
  if (!is_row_major(a) && !is_column_major(a)) a = packed<T, T>(a, packed_a);
  if (!is_row_major(b) && !is_column_major(b)) b = packed<T, T>(b, packed_b);
  const Matrix target = out;
  if (!is_row_major(out)) out = packed<T, T>(out, packed_out);
  const bool ra = is_row_major(a), rb = is_row_major(b);
  constexpr int row = Eigen::RowMajor, column = Eigen::ColMajor;
  if (ra && rb) dense<T, row, row>(a, b, out, alpha, beta);
  if (ra && !rb) dense<T, row, column>(a, b, out, alpha, beta);
  if (!ra && rb) dense<T, column, row>(a, b, out, alpha, beta);
  if (!ra && !rb) dense<T, column, column>(a, b, out, alpha, beta);
  if (out.data == target.data) return;
  for (std::int64_t i = 0; i < out.rows; ++i)
    for (std::int64_t j = 0; j < out.columns; ++j)
      static_cast<T*>(target.data)[i * target.row_stride + j * target.column_stride] =
          static_cast<T*>(out.data)[i * out.columns + j];
}

/// Elements of 16 bits, through float32.
template <typename T>
void widened(const Matrix& a, const Matrix& b, const Matrix& out, double alpha, double beta) {
  std::vector<float> left, right, result;
  const Matrix wide_a = packed<float, T>(a, left), wide_b = packed<float, T>(b, right);
  const Matrix wide_out = packed<float, T>(out, result);
  strided<float>(wide_a, wide_b, wide_out, static_cast<float>(alpha), static_cast<float>(beta));
  for (std::int64_t i = 0; i < out.rows; ++i)
    for (std::int64_t j = 0; j < out.columns; ++j)
      static_cast<T*>(out.data)[i * out.row_stride + j * out.column_stride] =
          static_cast<T>(result[static_cast<std::size_t>(i * out.columns + j)]);
}

/// Integers, which wrap around as torch's do: so the low bits of the sum are all that counts.
template <typename T>
void whole(const Matrix& a, const Matrix& b, const Matrix& out, double alpha, double beta) {
  using Wide = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
  const auto wide = [](auto value) { return static_cast<Wide>(static_cast<std::int64_t>(value)); };
  constexpr std::int64_t rows = 4, columns = 256;  // what is read of b serves all the rows, from the cache
  std::vector<Wide> left, right;
  const Wide* const from_a = static_cast<const Wide*>(packed<Wide, T>(a, left).data);
  const Wide* const from_b = static_cast<const Wide*>(packed<Wide, T>(b, right).data);
  for (std::int64_t j = 0; j < out.columns; j += columns)
    for (std::int64_t i = 0; i < out.rows; i += rows) {
      const std::int64_t height = std::min(rows, out.rows - i), width = std::min(columns, out.columns - j);
      Wide sums[rows][columns] = {};
      for (std::int64_t k = 0; k < a.columns; ++k) {
        Wide factors[rows] = {};
        for (std::int64_t r = 0; r < height; ++r) factors[r] = from_a[(i + r) * a.columns + k];
        const Wide* const line = from_b + k * b.columns + j;
        for (std::int64_t c = 0; c < width; ++c)
          for (std::int64_t r = 0; r < rows; ++r) sums[r][c] += factors[r] * line[c];
      }
      for (std::int64_t r = 0; r < height; ++r)
        for (std::int64_t c = 0; c < width; ++c) {
          T& to = static_cast<T*>(out.data)[(i + r) * out.row_stride + (j + c) * out.column_stride];
          const Wide sum = sums[r][c] * wide(alpha);
          to = static_cast<T>(beta == 0 ? sum : sum + wide(beta) * wide(to));
        }
    }
}

/// Copies the first operand of addmm into the output, which has its shape once it is expanded.
void expand_into(const AtenTensorOpaque& from, AtenTensorOpaque& out) {
  AtenTensorOpaque view = from;
  view.rank = out.rank;
  const std::int32_t missing = out.rank - from.rank;
  for (std::int32_t i = 0; i < out.rank; ++i) {
    const bool known = i >= missing;
    view.sizes[i] = out.sizes[i];
    view.strides[i] = known && from.sizes[i - missing] == out.sizes[i] ? from.strides[i - missing] : 0;
  }
  if (view.data() != out.data()) copy_elements(view, out);
}

void batched(AtenTensorOpaque& out, const AtenTensorOpaque& a, const AtenTensorOpaque& b, double alpha,
             double beta) {
  const std::int64_t item = item_size(out.dtype);
  Matrix left = matrix_of(a), right = matrix_of(b), result = matrix_of(out);
  for (std::int64_t i = 0; i < out.sizes[0]; ++i) {
    left.data = a.data() + i * a.strides[0] * item;
    right.data = b.data() + i * b.strides[0] * item;
    result.data = out.data() + i * out.strides[0] * item;
    multiply(out.dtype, left, right, result, alpha, beta);
  }
}

}  // namespace

Matrix matrix_of(const AtenTensorOpaque& tensor) noexcept {
  const std::int32_t row = tensor.rank - 2, column = tensor.rank - 1;
  return {tensor.data(), tensor.sizes[row], tensor.sizes[column], tensor.strides[row],
          tensor.strides[column]};
}

void multiply(std::int32_t dtype, const Matrix& a, const Matrix& b, const Matrix& out, double alpha,
              double beta) {
  if (out.rows == 0 || out.columns == 0) return;
  switch (dtype) {
    case float32:
      return strided<float>(a, b, out, static_cast<float>(alpha), static_cast<float>(beta));
    case float64:
      return strided<double>(a, b, out, alpha, beta);
    case float16:
      return widened<c10::Half>(a, b, out, alpha, beta);
    case bfloat16:
      return widened<c10::BFloat16>(a, b, out, alpha, beta);
    case uint8:
      return whole<std::uint8_t>(a, b, out, alpha, beta);
    case int8:
      return whole<std::int8_t>(a, b, out, alpha, beta);
    case int16:
      return whole<std::int16_t>(a, b, out, alpha, beta);
    case int32:
      return whole<std::int32_t>(a, b, out, alpha, beta);
    case int64:
      return whole<std::int64_t>(a, b, out, alpha, beta);
    default:
      throw std::runtime_error("there is no matrix product for this dtype");
  }
}

}  // namespace kit::program

using namespace kit::program;

AOTITorchError aoti_torch_cpu_mm_out(AtenTensorHandle out, AtenTensorHandle self, AtenTensorHandle mat2) {
  return guarded([&] { multiply(out->dtype, matrix_of(*self), matrix_of(*mat2), matrix_of(*out)); });
}

AOTITorchError aoti_torch_cpu_addmm_out(AtenTensorHandle out, AtenTensorHandle self, AtenTensorHandle mat1,
                                        AtenTensorHandle mat2, double beta, double alpha) {
  return guarded([&] {
    if (beta != 0) expand_into(*self, *out);
    multiply(out->dtype, matrix_of(*mat1), matrix_of(*mat2), matrix_of(*out), alpha, beta);
  });
}

AOTITorchError aoti_torch_cpu_bmm_out(AtenTensorHandle out, AtenTensorHandle self, AtenTensorHandle mat2) {
  return guarded([&] { batched(*out, *self, *mat2, 1, 0); });
}

AOTITorchError aoti_torch_cpu_baddbmm_out(AtenTensorHandle out, AtenTensorHandle self,
                                          AtenTensorHandle batch1, AtenTensorHandle batch2, double beta,
                                          double alpha) {
  return guarded([&] {
    if (beta != 0) expand_into(*self, *out);
    batched(*out, *batch1, *batch2, alpha, beta);
  });
}
