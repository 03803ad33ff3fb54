#include "checksum.h"

#include <array>
#include <cstring>

namespace kit::program {
namespace {

constexpr std::uint32_t polynomial = 0xEDB88320;

/// What a byte makes of the checksum when `index` further bytes follow it: eight bytes are taken at once.
constexpr auto tables = [] {
  std::array<std::array<std::uint32_t, 256>, 8> result{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? polynomial : 0);
    result[0][byte] = value;
  }
  for (std::size_t index = 1; index < result.size(); ++index)
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = result[index - 1][byte];
      result[index][byte] = (before >> 8) ^ result[0][before & 255];
    }
  return result;
}();

}  // namespace

std::uint32_t checksum(const std::byte* data, std::size_t size) {
  std::uint32_t value = 0xFFFFFFFF;
  for (; size >= 8; size -= 8, data += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, data, sizeof word);
    word ^= value;
    value = 0;
    for (std::size_t i = 0; i < 8; ++i) value ^= tables[7 - i][(word >> (8 * i)) & 255];
  }
  for (; size > 0; --size, ++data)
    value = (value >> 8) ^ tables[0][(value ^ std::to_integer<std::uint32_t>(*data)) & 255];
  return ~value;
}

}  // namespace kit::program
