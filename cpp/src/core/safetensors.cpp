#include "core/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <nlohmann/json.hpp>

namespace kit::safetensors {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::pair<std::string_view, DType>, 15> codes{{
    {"BOOL", DType::boolean},
    {"U8", DType::uint8},
    {"U16", DType::uint16},
    {"U32", DType::uint32},
    {"U64", DType::uint64},
    {"I8", DType::int8},
    {"I16", DType::int16},
    {"I32", DType::int32},
    {"I64", DType::int64},
    {"F16", DType::float16},
    {"BF16", DType::bfloat16},
    {"F32", DType::float32},
    {"F64", DType::float64},
    {"C64", DType::complex64},
    {"C128", DType::complex128},
}};

std::string_view code_of(DType dtype) {
  return std::find_if(codes.begin(), codes.end(), [&](const auto& row) { return row.second == dtype; })
      ->first;
}

Entry parse_entry(const std::string& name, const Json& value) {
  Entry entry;
  entry.name = name;
  const auto code = value.at("dtype").get<std::string>();
  const auto found =
      std::find_if(codes.begin(), codes.end(), [&](const auto& row) { return row.first == code; });
  if (found == codes.end())
    throw std::invalid_argument("tensor '" + name + "' has the unknown dtype " + code);
  entry.dtype = found->second;

  std::uint64_t bytes = item_size(entry.dtype);
  for (const Json& size : value.at("shape")) {
    if (!size.is_number_unsigned())
      throw std::invalid_argument("tensor '" + name + "' has a size that is no count");
    entry.shape.push_back(size.get<std::int64_t>());
    if (entry.shape.back() < 0 || __builtin_mul_overflow(bytes, size.get<std::uint64_t>(), &bytes))
      throw std::invalid_argument("tensor '" + name + "' is larger than memory can hold");
  }
  const Json& offsets = value.at("data_offsets");
  if (offsets.size() != 2 || !offsets[0].is_number_unsigned() || !offsets[1].is_number_unsigned())
    throw std::invalid_argument("tensor '" + name + "' has no pair of data_offsets");
  entry.begin = offsets[0].get<std::uint64_t>();
  entry.end = offsets[1].get<std::uint64_t>();
  if (entry.end < entry.begin || entry.end - entry.begin != bytes)
    throw std::invalid_argument("tensor '" + name + "' has data_offsets that do not fit its shape");
  return entry;
}

}  // namespace

std::uint64_t header_length(std::span<const std::byte> first_eight, std::uint64_t file_size, ErrorCode code,
                            const std::string& where) {
  if (first_eight.size() < length_bytes)
    throw Error(code, where + ": not a safetensors file: it is shorter than the length field of " +
                          std::to_string(length_bytes) + " bytes");
  std::uint64_t length = 0;
  for (std::size_t i = length_bytes; i-- > 0;)
    length = (length << 8) | std::to_integer<std::uint64_t>(first_eight[i]);
  if (length > file_size - length_bytes)
    throw Error(code, where + ": not a safetensors file, or cut short: its header claims " +
                          std::to_string(length) + " bytes of " + std::to_string(file_size));
  return length;
}

std::vector<Entry> parse_header(std::string_view json, std::uint64_t data_size, ErrorCode code,
                                const std::string& where) {
  std::vector<Entry> entries;
  try {
    const Json header = Json::parse(json);
    if (!header.is_object()) throw std::invalid_argument("the header is no JSON object");
    for (const auto& [name, value] : header.items())
      if (name != "__metadata__") entries.push_back(parse_entry(name, value));
  } catch (const std::exception& error) {
    throw Error(code, where + ": not a safetensors file: " + error.what());
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t covered = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != covered)
      throw Error(code, where + ": damaged safetensors file: the bytes before tensor '" + entry.name +
                            "' have a hole or an overlap");
    covered = entry.end;
  }
  if (covered != data_size)
    throw Error(code, where + ": damaged safetensors file: its tensors need " + std::to_string(covered) +
                          " bytes, it holds " + std::to_string(data_size));
  return entries;
}

std::string serialize_header(const std::vector<Entry>& entries) {
  Json header = Json::object();
  for (const Entry& entry : entries)
    header[entry.name] = {
        {"dtype", code_of(entry.dtype)}, {"shape", entry.shape}, {"data_offsets", {entry.begin, entry.end}}};
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string length(length_bytes, '\0');
  for (std::size_t i = 0; i < length_bytes; ++i)
    length[i] = static_cast<char>((static_cast<std::uint64_t>(text.size()) >> (8 * i)) & 0xff);
  return length + text;
}

}  // namespace kit::safetensors
