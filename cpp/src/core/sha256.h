#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace kit {

/// SHA-256 (FIPS 180-4) of the bytes, as 64 lower-case hexadecimal digits.
std::string sha256_hex(std::span<const std::byte> bytes);

}  // namespace kit
