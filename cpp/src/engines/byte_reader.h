#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include <caffe2/serialize/read_adapter_interface.h>

namespace kit {

/// Gives libtorch bytes in memory, one piece after the other, which must live as long: what it loads is what
/// was checked.
class ByteReader : public caffe2::serialize::ReadAdapterInterface {
 public:
  using Pieces = std::vector<std::span<const std::byte>>;

  explicit ByteReader(Pieces pieces) : pieces_(std::move(pieces)) {
    for (const auto& piece : pieces_) size_ += piece.size();
  }

  std::size_t size() const override { return size_; }

  /// So many bytes where they are; none if they are in several pieces.
  std::span<const std::byte> in_place(std::uint64_t position, std::size_t count) const {
    for (const auto& piece : pieces_) {
      if (position < piece.size())
        return count <= piece.size() - position ? piece.subspan(position, count) : piece.first(0);
      position -= piece.size();
    }
    return {};
  }

  std::size_t read(std::uint64_t position, void* buffer, std::size_t count,
                   const char* /*what*/) const override {
    std::size_t taken = 0;
    for (const auto& piece : pieces_) {
      if (taken == count) break;
      if (position < piece.size()) {
        const auto part = piece.subspan(position);
        const std::size_t more = std::min(count - taken, part.size());
        std::memcpy(static_cast<std::byte*>(buffer) + taken, part.data(), more);
        taken += more;
      }
      position -= std::min<std::uint64_t>(position, piece.size());
    }
    return taken;
  }

 private:
  Pieces pieces_;
  std::size_t size_ = 0;
};

}  // namespace kit
