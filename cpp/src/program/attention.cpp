// Scaled dot product attention, which Inductor leaves to ATen: softmax(q kᵀ scale + mask) v, a block of
// queries at a time, so that the scores take little memory.

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include <torch/csrc/inductor/aoti_torch/generated/c_shim_cpu.h>

#include "columns.h"
#include "elements.h"
#include "softmax.h"

using namespace kit::program;

namespace {

constexpr std::int64_t block = 64;

/// What is computed in: elements of 16 bits are widened, and only the output is rounded.
template <typename T>
using Wide = std::conditional_t<sizeof(T) == 2, float, T>;
template <typename T>
constexpr std::int32_t dtype_of = sizeof(T) == 4 ? kit::program::float32 : kit::program::float64;

/// The matrix of one head of one item, from a row on.
Matrix head_of(const AtenTensorOpaque& t, std::int64_t n, std::int64_t h, std::int64_t first,
               std::int64_t rows) {
  std::byte* const data =
      t.data() + (n * t.strides[0] + h * t.strides[1] + first * t.strides[2]) * item_size(t.dtype);
  return {data, rows, t.sizes[3], t.strides[2], t.strides[3]};
}

/// Copies a matrix row by row, times a factor.
template <typename T>
void scale_into(const Matrix& from, Wide<T> factor, Wide<T>* to) {
  for (std::int64_t i = 0; i < from.rows; ++i, to += from.columns) {
    const T* const row = static_cast<const T*>(from.data) + i * from.row_stride;
    if (from.column_stride == 1)
      for (std::int64_t j = 0; j < from.columns; ++j) to[j] = static_cast<Wide<T>>(row[j]) * factor;
    else
      for (std::int64_t j = 0; j < from.columns; ++j)
        to[j] = static_cast<Wide<T>>(row[j * from.column_stride]) * factor;
  }
}

/// A mask, which may stand for a larger one: sizes of 1 are repeated.
class Mask {
 public:
  Mask(const AtenTensorOpaque* mask, const AtenTensorOpaque& q, std::int64_t keys) : mask_(mask) {
    if (mask == nullptr) return;
    if (mask->dtype != q.dtype && mask->dtype != kit::program::float32)
      throw std::runtime_error("attention with a mask of another dtype than that of its query");
    const std::int64_t sizes[] = {q.sizes[0], q.sizes[1], q.sizes[2], keys};
    const std::int32_t missing = 4 - mask->rank;
    for (std::int32_t i = missing; i < 4; ++i)
      strides_[i] = mask->sizes[i - missing] == sizes[i] ? mask->strides[i - missing] : 0;
  }

  /// Adds one row of the mask to a row of scores.
  template <typename S>
  void add(S* row, std::int64_t n, std::int64_t h, std::int64_t query, std::int64_t keys) const {
    if (mask_ == nullptr) return;
    const std::int64_t offset = n * strides_[0] + h * strides_[1] + query * strides_[2];
    switch (mask_->dtype) {
      case kit::program::float32:
        return add(row, elements<float>(*mask_) + offset, keys);
      case kit::program::float64:
        return add(row, elements<double>(*mask_) + offset, keys);
      case kit::program::float16:
        return add(row, elements<c10::Half>(*mask_) + offset, keys);
      default:
        return add(row, elements<c10::BFloat16>(*mask_) + offset, keys);
    }
  }

 private:
  template <typename S, typename M>
  void add(S* row, const M* mask, std::int64_t keys) const {
    if (strides_[3] == 1)
      for (std::int64_t j = 0; j < keys; ++j) row[j] += static_cast<S>(mask[j]);
    else
      for (std::int64_t j = 0; j < keys; ++j) row[j] += static_cast<S>(mask[j * strides_[3]]);
  }

  const AtenTensorOpaque* mask_;
  std::int64_t strides_[4] = {};
};

/// Rounds to another type and back, as ATen does with the weights of elements of 16 bits.
template <typename T>
void round_to(Wide<T>* row, std::int64_t size) {
  if constexpr (!std::is_same_v<T, Wide<T>>)
    for (std::int64_t j = 0; j < size; ++j) row[j] = static_cast<Wide<T>>(static_cast<T>(row[j]));
}

/// Divides the rows of a product by what the softmax divides by, and writes them where they belong.
template <typename T>
void finish(const Wide<T>* product, std::int64_t row_stride, const Wide<T>* factors, const Matrix& out) {
  for (std::int64_t i = 0; i < out.rows; ++i, product += row_stride) {
    T* const to = static_cast<T*>(out.data) + i * out.row_stride;
    const Wide<T> factor = factors[i];
    if (out.column_stride == 1)
      for (std::int64_t j = 0; j < out.columns; ++j) to[j] = static_cast<T>(product[j] * factor);
    else
      for (std::int64_t j = 0; j < out.columns; ++j)
        to[j * out.column_stride] = static_cast<T>(product[j] * factor);
  }
}

template <typename T>
void attend(const AtenTensorOpaque& q, const AtenTensorOpaque& k, const AtenTensorOpaque& v, bool causal,
            const AtenTensorOpaque* attn_mask, double scale, AtenTensorOpaque& out,
            AtenTensorOpaque& log_sums) {
  using S = Wide<T>;
  constexpr std::int32_t dtype = dtype_of<S>;
  const std::int64_t heads = q.sizes[1], queries = q.sizes[2], keys = k.sizes[2],
                     rows = std::min(block, queries), depth = q.sizes[3], width = v.sizes[3],
                     row_stride = whole_panels<S>(keys), out_stride = whole_panels<S>(width);
  const Mask mask(attn_mask, q, keys);
  const Scratch query(dtype, rows * depth), scores(dtype, rows * row_stride),
      product(dtype, rows * out_stride);
  const Scratch packed_keys(dtype, packed_size<S>(depth, keys)),
      packed_values(dtype, packed_size<S>(keys, width));
  for (std::int64_t n = 0; n < q.sizes[0]; ++n)
    for (std::int64_t h = 0; h < heads; ++h) {
      const std::int64_t shared = h * k.sizes[1] / heads;  // several heads may look at the same keys
      pack_columns<S, T>(head_of(k, n, shared, 0, keys).transposed(), packed_keys.data<S>());
      pack_columns<S, T>(head_of(v, n, shared, 0, keys), packed_values.data<S>());
      for (std::int64_t first = 0; first < queries; first += block) {
        const std::int64_t count = std::min(block, queries - first);
        // No query of the block sees more keys than the last.
        const std::int64_t seen = causal ? std::min(keys, first + count) : keys;
        scale_into<T>(head_of(q, n, h, first, count), static_cast<S>(scale), query.data<S>());
        multiply_columns(query.data<S>(), count, depth, depth, packed_keys.data<S>(), depth,
                         whole_panels<S>(seen), scores.data<S>(), row_stride);
        Exponentials<S, block> found;
        for (std::int64_t i = 0; i < count; ++i) {
          S* const row = scores.data<S>() + i * row_stride;
          const std::int64_t own = causal ? std::min(seen, first + i + 1) : seen;
          mask.add(row, n, h, first + i, own);
          found.take(i, row, own);
          round_to<T>(row, own);
          std::fill(row + own, row + seen, S(0));
        }
        found.finish(count);
        S* const sums = elements<S>(log_sums) + n * log_sums.strides[0] + h * log_sums.strides[1];
        for (std::int64_t i = 0; i < count; ++i) sums[(first + i) * log_sums.strides[2]] = found.log_sums[i];
        multiply_columns(scores.data<S>(), count, seen, row_stride, packed_values.data<S>(), keys, out_stride,
                         product.data<S>(), out_stride);
        finish<T>(product.data<S>(), out_stride, found.factors, head_of(out, n, h, first, count));
      }
    }
}

/// Strides without gaps, in the order in which the query's dimensions lie: what the generated code counts on,
/// as ATen's kernel gives an output like the query.
void ordered_like(const AtenTensorOpaque& query, const std::int64_t* sizes, std::int64_t* strides) {
  std::int32_t order[4] = {3, 2, 1, 0};  // the innermost first
  std::stable_sort(order, order + 4,
                   [&](std::int32_t a, std::int32_t b) { return query.strides[a] < query.strides[b]; });
  std::int64_t stride = 1;
  for (const std::int32_t dim : order) {
    strides[dim] = stride;
    stride *= std::max(sizes[dim], std::int64_t{1});
  }
}

}  // namespace

AOTITorchError aoti_torch_cpu__scaled_dot_product_flash_attention_for_cpu(
    AtenTensorHandle query, AtenTensorHandle key, AtenTensorHandle value, double dropout_p, int32_t is_causal,
    AtenTensorHandle* attn_mask, double* scale, AtenTensorHandle* ret0, AtenTensorHandle* ret1) {
  return guarded([&] {
    if (dropout_p != 0) throw std::runtime_error("attention with dropout is not deterministic");
    const std::int32_t dtype = query->dtype;
    const std::int64_t n = query->sizes[0], heads = query->sizes[1], rows = query->sizes[2],
                       depth = value->sizes[3];
    const std::int64_t sizes[] = {n, heads, rows, depth};
    std::int64_t strides[4];
    ordered_like(*query, sizes, strides);
    const std::int64_t sums[] = {n, heads, rows};
    const std::int64_t sum_strides[] = {rows * heads, 1, heads};
    *ret0 = make_tensor(dtype, 4, sizes, strides);
    *ret1 = make_tensor(dtype == kit::program::float64 ? dtype : kit::program::float32, 3, sums, sum_strides);
    const double factor = scale != nullptr ? *scale : 1 / std::sqrt(static_cast<double>(query->sizes[3]));
    const AtenTensorOpaque* const mask = attn_mask != nullptr ? *attn_mask : nullptr;
    const auto run = [&](auto zero) {
      attend<decltype(zero)>(*query, *key, *value, is_causal != 0, mask, factor, **ret0, **ret1);
    };
    switch (dtype) {
      case kit::program::float32:
        return run(float{});
      case kit::program::float64:
        return run(double{});
      case kit::program::float16:
        return run(c10::Half{});
      case kit::program::bfloat16:
        return run(c10::BFloat16{});
      default:
        throw std::runtime_error("attention of numbers that are not floating point");
    }
  });
}
