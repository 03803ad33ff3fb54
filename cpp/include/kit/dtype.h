#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace kit {

/// Element types, under the names that torch gives them.
enum class DType : std::uint8_t {
  boolean,  ///< one byte, 0 or 1
  uint8,
  uint16,
  uint32,
  uint64,
  int8,
  int16,
  int32,
  int64,
  float16,   ///< IEEE 754 binary16
  bfloat16,  ///< the upper half of a binary32
  float32,
  float64,
  complex64,   ///< two float32: real, imaginary
  complex128,  ///< two float64: real, imaginary
};

/// Bytes of one element.
std::size_t item_size(DType dtype) noexcept;

/// "float32", "bool", …: torch's name without the `torch.`.
std::string_view name(DType dtype) noexcept;

/// The type of that name, or nothing if there is none.
std::optional<DType> dtype_from_name(std::string_view name) noexcept;

bool is_floating(DType dtype) noexcept;
bool is_complex(DType dtype) noexcept;

/// Conversions of the two 16-bit floating types, given as their bits. To 16 bits they round to the
/// nearest, ties to even; NaN stays NaN.
float float16_to_float(std::uint16_t bits) noexcept;
std::uint16_t float_to_float16(float value) noexcept;
float bfloat16_to_float(std::uint16_t bits) noexcept;
std::uint16_t float_to_bfloat16(float value) noexcept;

/// The C++ type that holds an element, for `Tensor::of` and `Tensor::data_as`.
template <typename T>
constexpr DType dtype_of();
template <>
constexpr DType dtype_of<bool>() {
  return DType::boolean;
}
template <>
constexpr DType dtype_of<std::uint8_t>() {
  return DType::uint8;
}
template <>
constexpr DType dtype_of<std::uint16_t>() {
  return DType::uint16;
}
template <>
constexpr DType dtype_of<std::uint32_t>() {
  return DType::uint32;
}
template <>
constexpr DType dtype_of<std::uint64_t>() {
  return DType::uint64;
}
template <>
constexpr DType dtype_of<std::int8_t>() {
  return DType::int8;
}
template <>
constexpr DType dtype_of<std::int16_t>() {
  return DType::int16;
}
template <>
constexpr DType dtype_of<std::int32_t>() {
  return DType::int32;
}
template <>
constexpr DType dtype_of<std::int64_t>() {
  return DType::int64;
}
template <>
constexpr DType dtype_of<float>() {
  return DType::float32;
}
template <>
constexpr DType dtype_of<double>() {
  return DType::float64;
}

}  // namespace kit
