#pragma once

#include <cstddef>

#include <kit/dtype.h>

namespace kit::io {

/// How reading a number went.
enum class ScanStatus {
  ok,
  malformed,     ///< the text does not start with a number
  out_of_range,  ///< it does, but the dtype cannot hold it
};

struct Scan {
  const char* next;  ///< one past the last character that belongs to the number
  ScanStatus status;
};

/// Reads the number at the start of [first, last) and stores it at `out`, which has `item_size(dtype)`
/// bytes. Floating: nan, inf and infinity in any case, signs; what is too small becomes 0, what is too
/// large is out of range. Bool: 0, 1, true, false in any case. Complex types are malformed.
Scan scan_number(DType dtype, const char* first, const char* last, void* out) noexcept;

/// Stores a number that was read as a double, rounded to the dtype's precision. Returns false if it is
/// finite and the floating `dtype` cannot hold it.
bool store_floating(DType dtype, double value, void* out) noexcept;

/// How NaN, infinities and bool are spelt.
enum class Spelling {
  csv,   ///< nan, inf, -inf; 0, 1
  json,  ///< "NaN", "Infinity", "-Infinity" with quotes; true, false
};

/// The most characters that `print_number` writes.
inline constexpr std::size_t longest_number = 32;

/// Writes the element as the shortest text that reads back as the same number in its dtype. Returns one
/// past the last character. Not for complex types.
char* print_number(DType dtype, const void* element, Spelling spelling, char* out) noexcept;

}  // namespace kit::io
