#pragma once

#include <cstddef>
#include <cstdint>

namespace kit::program {

/// CRC-32, that of zlib and of zip archives.
std::uint32_t checksum(const std::byte* data, std::size_t size);

}  // namespace kit::program
