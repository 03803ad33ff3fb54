#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>

namespace kit {

/// The SHA-256 of the bytes, as 64 lower-case hexadecimal digits. `done`, if given, is called with each part
/// of them, some megabytes long, that has been read.
std::string sha256_hex(std::span<const std::byte> bytes,
                       const std::function<void(std::span<const std::byte>)>& done = nullptr);

}  // namespace kit
