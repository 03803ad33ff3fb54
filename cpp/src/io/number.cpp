#include "io/number.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>

namespace kit::io {

namespace {

template <typename T>
T load(const void* from) noexcept {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

template <typename T>
void store(T value, void* to) noexcept {
  std::memcpy(to, &value, sizeof(T));
}

/// `from_chars` takes no plus sign.
const char* skip_plus(const char* first, const char* last) noexcept {
  return last - first > 1 && *first == '+' && first[1] != '-' && first[1] != '+' ? first + 1 : first;
}

template <typename T>
Scan scan_integer(const char* first, const char* last, void* out) noexcept {
  T value{};
  const auto [next, error] = std::from_chars(skip_plus(first, last), last, value);
  if (error == std::errc::invalid_argument) {
    // from_chars calls "-1" malformed for unsigned types; it is a number, but out of range.
    std::int64_t negative = 0;
    const auto [end, again] = std::from_chars(first, last, negative);
    if (again != std::errc::invalid_argument) return {end, ScanStatus::out_of_range};
    return {first, ScanStatus::malformed};
  }
  if (error != std::errc{}) return {next, ScanStatus::out_of_range};
  store(value, out);
  return {next, ScanStatus::ok};
}

/// The rare case: the nearest number of type T is 0, subnormal or infinite.
template <typename T>
ScanStatus scan_extreme(const char* first, const char* last, T& value) noexcept {
  char text[128];
  const auto size = static_cast<std::size_t>(last - first);
  if (size < sizeof text) {
    std::memcpy(text, first, size);
    text[size] = '\0';
    if constexpr (std::is_same_v<T, float>) {
      value = std::strtof(text, nullptr);
    } else {
      value = std::strtod(text, nullptr);
    }
  } else {
    const std::string longer(first, last);
    if constexpr (std::is_same_v<T, float>) {
      value = std::strtof(longer.c_str(), nullptr);
    } else {
      value = std::strtod(longer.c_str(), nullptr);
    }
  }
  return std::isinf(value) ? ScanStatus::out_of_range : ScanStatus::ok;
}

template <typename T>
Scan scan_floating(const char* first, const char* last, T& value) noexcept {
  const char* start = skip_plus(first, last);
  const auto [next, error] = std::from_chars(start, last, value);
  if (error == std::errc::invalid_argument) return {first, ScanStatus::malformed};
  if (error != std::errc{}) return {next, scan_extreme(start, next, value)};
  return {next, ScanStatus::ok};
}

bool starts_with_word(const char* first, const char* last, std::string_view word) noexcept {
  if (static_cast<std::size_t>(last - first) < word.size()) return false;
  for (const char c : word)
    if ((*first++ | 0x20) != c) return false;
  return true;
}

Scan scan_bool(const char* first, const char* last, void* out) noexcept {
  for (const std::string_view word : {std::string_view("true"), std::string_view("false")}) {
    if (!starts_with_word(first, last, word)) continue;
    store<std::uint8_t>(word == "true", out);
    return {first + word.size(), ScanStatus::ok};
  }
  std::uint8_t value = 0;
  const Scan scan = scan_integer<std::uint8_t>(first, last, &value);
  if (scan.status != ScanStatus::ok) return scan;
  if (value > 1) return {scan.next, ScanStatus::out_of_range};
  store(value, out);
  return scan;
}

template <typename T>
char* print_floating(T value, Spelling spelling, char* out) noexcept {
  std::string_view word;
  if (std::isnan(value)) {
    word = spelling == Spelling::csv ? "nan" : "\"NaN\"";
  } else if (std::isinf(value)) {
    if (spelling == Spelling::csv) {
      word = value > 0 ? "inf" : "-inf";
    } else {
      word = value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
    }
  } else {
    return std::to_chars(out, out + longest_number, value).ptr;
  }
  std::memcpy(out, word.data(), word.size());
  return out + word.size();
}

template <typename T>
char* print_integer(const void* element, char* out) noexcept {
  return std::to_chars(out, out + longest_number, load<T>(element)).ptr;
}

/// The float32 beside a value whose last bit says whether anything was cut off, so that rounding it once
/// more, to two bits less or fewer, gives what rounding the value itself does: S. Boldo and G. Melquiond,
/// "When double rounding is odd", 17th IMACS World Congress, 2005.
float rounded_to_odd(double value) noexcept {
  const auto nearest = static_cast<float>(value);
  if (std::isnan(value) || std::isinf(nearest) || static_cast<double>(nearest) == value) return nearest;
  const bool above = std::abs(static_cast<double>(nearest)) > std::abs(value);
  const float cut = above ? std::nextafter(nearest, 0.0F) : nearest;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(cut) | 1U);
}

}  // namespace

bool store_floating(DType dtype, double value, void* out) noexcept {
  bool overflow = false;
  switch (dtype) {
    case DType::float64:
      store(value, out);
      return true;
    case DType::float32: {
      const auto narrow = static_cast<float>(value);
      overflow = std::isinf(narrow);
      store(narrow, out);
      break;
    }
    case DType::float16: {
      const std::uint16_t narrow = float_to_float16(rounded_to_odd(value));
      overflow = std::isinf(float16_to_float(narrow));
      store(narrow, out);
      break;
    }
    case DType::bfloat16: {
      const std::uint16_t narrow = float_to_bfloat16(rounded_to_odd(value));
      overflow = std::isinf(bfloat16_to_float(narrow));
      store(narrow, out);
      break;
    }
    default:
      return false;
  }
  return !overflow || std::isinf(value);
}

Scan scan_number(DType dtype, const char* first, const char* last, void* out) noexcept {
  switch (dtype) {
    case DType::boolean:
      return scan_bool(first, last, out);
    case DType::uint8:
      return scan_integer<std::uint8_t>(first, last, out);
    case DType::uint16:
      return scan_integer<std::uint16_t>(first, last, out);
    case DType::uint32:
      return scan_integer<std::uint32_t>(first, last, out);
    case DType::uint64:
      return scan_integer<std::uint64_t>(first, last, out);
    case DType::int8:
      return scan_integer<std::int8_t>(first, last, out);
    case DType::int16:
      return scan_integer<std::int16_t>(first, last, out);
    case DType::int32:
      return scan_integer<std::int32_t>(first, last, out);
    case DType::int64:
      return scan_integer<std::int64_t>(first, last, out);
    case DType::float32: {
      float value = 0;
      const Scan scan = scan_floating(first, last, value);
      if (scan.status == ScanStatus::ok) store(value, out);
      return scan;
    }
    case DType::float64:
    case DType::float16:
    case DType::bfloat16: {
      double value = 0;
      Scan scan = scan_floating(first, last, value);
      if (scan.status == ScanStatus::ok && !store_floating(dtype, value, out))
        scan.status = ScanStatus::out_of_range;
      return scan;
    }
    case DType::complex64:
    case DType::complex128:
      break;
  }
  return {first, ScanStatus::malformed};
}

char* print_number(DType dtype, const void* element, Spelling spelling, char* out) noexcept {
  switch (dtype) {
    case DType::boolean: {
      const bool value = load<std::uint8_t>(element) != 0;
      const std::string_view word =
          spelling == Spelling::csv ? (value ? "1" : "0") : (value ? "true" : "false");
      std::memcpy(out, word.data(), word.size());
      return out + word.size();
    }
    case DType::uint8:
      return print_integer<std::uint8_t>(element, out);
    case DType::uint16:
      return print_integer<std::uint16_t>(element, out);
    case DType::uint32:
      return print_integer<std::uint32_t>(element, out);
    case DType::uint64:
      return print_integer<std::uint64_t>(element, out);
    case DType::int8:
      return print_integer<std::int8_t>(element, out);
    case DType::int16:
      return print_integer<std::int16_t>(element, out);
    case DType::int32:
      return print_integer<std::int32_t>(element, out);
    case DType::int64:
      return print_integer<std::int64_t>(element, out);
    case DType::float16:
      return print_floating(float16_to_float(load<std::uint16_t>(element)), spelling, out);
    case DType::bfloat16:
      return print_floating(bfloat16_to_float(load<std::uint16_t>(element)), spelling, out);
    case DType::float32:
      return print_floating(load<float>(element), spelling, out);
    case DType::float64:
      return print_floating(load<double>(element), spelling, out);
    case DType::complex64:
    case DType::complex128:
      break;
  }
  return out;
}

}  // namespace kit::io
