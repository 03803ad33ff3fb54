#include "engines/aoti_constants.h"

#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <tuple>
#include <vector>

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <caffe2/serialize/inline_container.h>
#include <nlohmann/json.hpp>

namespace kit {
namespace {

/// Its name, sizes, strides, and its offset in its storage; where that is, and how many bytes it has.
using Row = std::tuple<std::string, std::vector<std::int64_t>, std::vector<std::int64_t>, std::int64_t,
                       std::uint64_t, std::size_t>;

constexpr std::uintptr_t alignment = 64;

/// The bytes of a storage as a tensor, in place where they can be.
at::Tensor storage(const ByteReader& bytes, std::uint64_t at, std::size_t size) {
  const std::span<const std::byte> place = bytes.in_place(at, size);
  if (place.size() == size && reinterpret_cast<std::uintptr_t>(place.data()) % alignment == 0)
    return at::from_blob(const_cast<std::byte*>(place.data()), {static_cast<std::int64_t>(size)}, at::kByte);
  at::Tensor copy = at::empty({static_cast<std::int64_t>(size)}, at::kByte);
  if (bytes.read(at, copy.mutable_data_ptr(), size, "a weight") != size)
    throw std::runtime_error("a weight of the package ends beyond it");
  return copy;
}

}  // namespace

std::unordered_map<std::string, at::Tensor> constants_of(const ByteReader::Pieces& package,
                                                         const std::string& table,
                                                         const std::unordered_map<std::string, int>& dtypes) {
  const auto bytes = std::make_shared<ByteReader>(package);
  caffe2::serialize::PyTorchStreamReader reader(bytes);
  const std::uint64_t start = reader.hasRecord(weights_record) ? reader.getRecordOffset(weights_record) : 0;
  std::unordered_map<std::string, at::Tensor> constants;
  for (const auto& [name, sizes, strides, offset, at, size] :
       nlohmann::json::parse(table).get<std::vector<Row>>()) {
    const auto dtype = static_cast<at::ScalarType>(dtypes.at(name));
    const at::Tensor held = storage(*bytes, start + at, size);
    constants.emplace(name, held.view(dtype).as_strided(sizes, strides, offset));
  }
  return constants;
}

}  // namespace kit
