#pragma once

#include <complex>
#include <cstdint>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include "tensor.h"

/// What works on elements of any dtype, and along one dimension of tensors.
namespace kit::program {

/// Calls the function with a value of the C++ type of a dtype that has an order. Throws for complex ones.
template <typename Function>
void with_real(std::int32_t dtype, Function&& function) {
  switch (dtype) {
    case boolean:
      return function(bool{});
    case uint8:
      return function(std::uint8_t{});
    case int8:
      return function(std::int8_t{});
    case int16:
      return function(std::int16_t{});
    case int32:
      return function(std::int32_t{});
    case int64:
      return function(std::int64_t{});
    case float16:
      return function(c10::Half{});
    case bfloat16:
      return function(c10::BFloat16{});
    case float32:
      return function(float{});
    case float64:
      return function(double{});
    default:
      throw std::runtime_error("an operation that there is for real numbers alone came with another dtype");
  }
}

/// The same with those of complex numbers among them.
template <typename Function>
void with_number(std::int32_t dtype, Function&& function) {
  if (dtype == complex64) return function(std::complex<float>{});
  if (dtype == complex128) return function(std::complex<double>{});
  with_real(dtype, static_cast<Function&&>(function));
}

template <typename T>
inline constexpr bool is_complex =
    std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>;

/// What torch adds up numbers of a type in, on a CPU.
template <typename T>
using Sum = std::conditional_t<is_complex<T>, std::complex<double>,
                               std::conditional_t<std::is_integral_v<T>, std::int64_t,
                                                  std::conditional_t<sizeof(T) == 2, float, double>>>;

template <typename T>
bool is_nan(T value) noexcept {
  if constexpr (std::is_integral_v<T>)
    return false;
  else
    return value != value;
}

template <typename T>
T* elements(const AtenTensorOpaque& tensor) noexcept {
  return reinterpret_cast<T*>(tensor.data());
}

/// A dimension that counts from the end if it is negative. A scalar has a dimension 0 of size 1.
inline std::int32_t wrapped(std::int64_t dim, std::int32_t rank) noexcept {
  return static_cast<std::int32_t>(dim < 0 ? dim + rank : dim);
}
inline std::int64_t size_of(const AtenTensorOpaque& tensor, std::int32_t dim) noexcept {
  return tensor.rank == 0 ? 1 : tensor.sizes[dim];
}
inline std::int64_t stride_of(const AtenTensorOpaque& tensor, std::int32_t dim) noexcept {
  return tensor.rank == 0 ? 1 : tensor.strides[dim];
}

/// Calls the function with the offsets, in the order of the tensors, of the first element of each line along
/// a dimension. The tensors are of one rank; the sizes along the others are those of the first.
template <typename Function, typename... Tensors>
void for_each_line(std::int32_t dim, Function&& function, const AtenTensorOpaque& first,
                   const Tensors&... others) {
  constexpr std::size_t count = 1 + sizeof...(others);
  const AtenTensorOpaque* const tensors[] = {&first, &others...};
  std::int64_t index[AtenTensorOpaque::max_rank] = {}, offset[count] = {};
  for (std::int32_t d = 0; d < first.rank; ++d)
    if (d != dim && first.sizes[d] == 0) return;
  while (true) {
    [&]<std::size_t... I>(std::index_sequence<I...>) { function(offset[I]...); }
    (std::make_index_sequence<count>{});
    std::int32_t d = first.rank - 1;
    for (; d >= 0; --d) {
      if (d == dim) continue;
      for (std::size_t t = 0; t < count; ++t) offset[t] += tensors[t]->strides[d];
      if (++index[d] < first.sizes[d]) break;
      for (std::size_t t = 0; t < count; ++t) offset[t] -= tensors[t]->strides[d] * first.sizes[d];
      index[d] = 0;
    }
    if (d < 0) return;
  }
}

/// The dtype of float or double.
template <typename T>
inline constexpr std::int32_t dtype_of = sizeof(T) == 4 ? float32 : float64;

/// Memory of the call's for elements of a dtype, uninitialised.
class Scratch {
 public:
  Scratch(std::int32_t dtype, std::int64_t count) : tensor_(make_tensor(dtype, 1, &count)) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { aoti_torch_delete_tensor_object(tensor_); }
  template <typename T>
  T* data() const noexcept {
    return elements<T>(*tensor_);
  }

 private:
  AtenTensorOpaque* tensor_;
};

/// As torch's empty_like: with the strides of a tensor that has neither gaps nor overlaps, else without gaps
/// and in the order of its strides.
AtenTensorOpaque* make_like(const AtenTensorOpaque& tensor, std::int32_t dtype);

}  // namespace kit::program
