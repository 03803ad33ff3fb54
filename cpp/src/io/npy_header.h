#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <kit/tensor.h>

namespace kit::io::npy {

/// What the header of a .npy file says.
/// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
struct Header {
  DType dtype = DType::float32;
  bool fortran_order = false;  ///< the first dimension varies fastest
  Shape shape;
};

/// The bytes before the text of the header, at most: magic, version, length.
inline constexpr std::size_t longest_prefix = 12;

/// Reads the text of a header, a Python dict. Throws an input error that starts with `where` if it is none,
/// or if the dtype is not one of kit's in little-endian order.
Header parse(std::string_view text, const std::string& where);

/// Magic, version 1.0 and header, padded to `length` bytes, or, where that is 0, to the next multiple of 64.
/// Throws a usage error for bfloat16, which .npy does not have.
std::string serialize(const Header& header, std::size_t length = 0);

}  // namespace kit::io::npy
