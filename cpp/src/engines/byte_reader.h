#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include <caffe2/serialize/read_adapter_interface.h>

namespace kit {

/// Gives libtorch bytes in memory, which must live as long: what it loads is what was checked.
class ByteReader : public caffe2::serialize::ReadAdapterInterface {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::size_t size() const override { return bytes_.size(); }

  std::size_t read(std::uint64_t position, void* buffer, std::size_t count,
                   const char* /*what*/) const override {
    if (position >= bytes_.size()) return 0;
    const std::size_t taken = std::min<std::size_t>(count, bytes_.size() - position);
    std::memcpy(buffer, bytes_.data() + position, taken);
    return taken;
  }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace kit
