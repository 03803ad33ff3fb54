// Sums, products, maxima and minima of all that comes before, along a dimension.

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <torch/csrc/inductor/aoti_torch/generated/c_shim_cpu.h>

#include "elements.h"

using namespace kit::program;

namespace {

/// A type that holds what any type like T does.
template <typename T>
using Wide = std::conditional_t<is_complex<T>, std::complex<double>,
                                std::conditional_t<std::is_integral_v<T>, std::int64_t, double>>;

template <typename To>
void load(const AtenTensorOpaque& self, std::int64_t offset, std::int64_t stride, std::vector<To>& line) {
  with_number(self.dtype, [&](auto zero) {
    using From = decltype(zero);
    if constexpr (is_complex<From> && !is_complex<To>) {
      throw std::runtime_error("a cumulative operation would make real numbers of complex ones");
    } else {
      const From* data = elements<From>(self) + offset;
      for (To& one : line) {
        one = static_cast<To>(static_cast<Wide<From>>(*data));
        data += stride;
      }
    }
  });
}

/// Elements become ones of the dtype asked for before anything is computed with them.
template <typename To, typename Step>
void accumulate(const AtenTensorOpaque& self, std::int32_t dim, Sum<To> first, Step step,
                AtenTensorOpaque& out) {
  const std::int64_t stride = stride_of(self, dim), out_stride = stride_of(out, dim);
  std::vector<Wide<To>> line(static_cast<std::size_t>(size_of(self, dim)));
  for_each_line(
      dim,
      [&](std::int64_t from, std::int64_t to) {
        load(self, from, stride, line);
        Sum<To> total = first;
        To* result = elements<To>(out) + to;
        for (const Wide<To>& one : line) {
          total = step(total, static_cast<Sum<To>>(static_cast<To>(one)));
          *result = static_cast<To>(total);
          result += out_stride;
        }
      },
      self, out);
}

template <typename Step>
void cumulate(AtenTensorHandle self, int64_t dim, const int32_t* dtype, int first, Step step,
              AtenTensorHandle* result) {
  const bool whole = self->dtype == boolean || self->dtype == uint8 || self->dtype == int8 ||
                     self->dtype == int16 || self->dtype == int32;
  *result = make_like(*self, dtype != nullptr ? *dtype : whole ? int64 : self->dtype);
  with_number((*result)->dtype, [&](auto zero) {
    using To = decltype(zero);
    accumulate<To>(*self, wrapped(dim, self->rank), Sum<To>(first), step, **result);
  });
}

/// The largest (or smallest) so far, and where it was last: NaN stays, once it was met.
template <typename Order>
void extremes(AtenTensorHandle self, int64_t dim, Order at_least, AtenTensorHandle* values,
              AtenTensorHandle* indices) {
  const std::int32_t axis = wrapped(dim, self->rank);
  *values = make_tensor(self->dtype, self->rank, self->sizes);
  *indices = make_tensor(int64, self->rank, self->sizes);
  const std::int64_t size = size_of(*self, axis), stride = stride_of(*self, axis);
  if (size == 0) return;
  const std::int64_t value_stride = stride_of(**values, axis), index_stride = stride_of(**indices, axis);
  with_real(self->dtype, [&](auto zero) {
    using T = decltype(zero);
    for_each_line(
        axis,
        [&](std::int64_t from, std::int64_t to, std::int64_t place) {
          const T* next = elements<T>(*self) + from;
          T* value = elements<T>(**values) + to;
          std::int64_t* index = elements<std::int64_t>(**indices) + place;
          T best = *next;
          std::int64_t where = 0;
          for (std::int64_t i = 0; i < size; ++i) {
            if (is_nan(*next) || (!is_nan(best) && at_least(*next, best))) {
              best = *next;
              where = i;
            }
            *value = best;
            *index = where;
            next += stride;
            value += value_stride;
            index += index_stride;
          }
        },
        *self, **values, **indices);
  });
}

/// log(exp(a) + exp(b)), also where one of them is infinite.
template <typename T>
T log_add(T a, T b) {
  if (is_nan(a) || is_nan(b)) return std::numeric_limits<T>::quiet_NaN();
  const T small = std::min(a, b), large = std::max(a, b);
  return small != large || std::isfinite(small) ? std::log1p(std::exp(small - large)) + large : a;
}

}  // namespace

AOTITorchError aoti_torch_cpu_cumsum(AtenTensorHandle self, int64_t dim, int32_t* dtype,
                                     AtenTensorHandle* ret0) {
  return guarded([&] {
    cumulate(
        self, dim, dtype, 0, [](auto a, auto b) { return a + b; }, ret0);
  });
}

AOTITorchError aoti_torch_cpu_cumprod(AtenTensorHandle self, int64_t dim, int32_t* dtype,
                                      AtenTensorHandle* ret0) {
  return guarded([&] {
    cumulate(
        self, dim, dtype, 1, [](auto a, auto b) { return a * b; }, ret0);
  });
}

AOTITorchError aoti_torch_cpu_cummax(AtenTensorHandle self, int64_t dim, AtenTensorHandle* ret0,
                                     AtenTensorHandle* ret1) {
  return guarded([&] {
    extremes(
        self, dim, [](auto a, auto b) { return a >= b; }, ret0, ret1);
  });
}

AOTITorchError aoti_torch_cpu_cummin(AtenTensorHandle self, int64_t dim, AtenTensorHandle* ret0,
                                     AtenTensorHandle* ret1) {
  return guarded([&] {
    extremes(
        self, dim, [](auto a, auto b) { return a <= b; }, ret0, ret1);
  });
}

AOTITorchError aoti_torch_cpu_logcumsumexp(AtenTensorHandle self, int64_t dim, AtenTensorHandle* ret0) {
  return guarded([&] {
    *ret0 = make_like(*self, self->dtype);
    with_real(self->dtype, [&](auto zero) {
      using T = decltype(zero);
      if constexpr (std::is_integral_v<T>)
        throw std::runtime_error("logcumsumexp of integers");
      else
        accumulate<T>(
            *self, wrapped(dim, self->rank), -std::numeric_limits<Sum<T>>::infinity(),
            [](Sum<T> total, Sum<T> value) { return log_add(value, total); }, **ret0);
    });
  });
}
