#include "core/sha256.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include <nettle/sha2.h>

namespace kit {

std::string sha256_hex(std::span<const std::byte> bytes,
                       const std::function<void(std::span<const std::byte>)>& done) {
  constexpr std::size_t most = std::size_t{4} << 20;
  sha256_ctx context;
  sha256_init(&context);
  while (!bytes.empty()) {
    const auto part = bytes.first(std::min(most, bytes.size()));
    sha256_update(&context, part.size(), reinterpret_cast<const std::uint8_t*>(part.data()));
    if (done) done(part);
    bytes = bytes.subspan(part.size());
  }
  std::array<std::uint8_t, SHA256_DIGEST_SIZE> digest{};
  sha256_digest(&context, digest.size(), digest.data());

  constexpr std::string_view digits = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * digest.size());
  for (const std::uint8_t byte : digest) {
    hex += digits[byte >> 4];
    hex += digits[byte & 15];
  }
  return hex;
}

}  // namespace kit
