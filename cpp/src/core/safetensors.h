#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <kit/tensor.h>

namespace kit::safetensors {

/// One tensor of a safetensors file.
/// Format: https://huggingface.co/docs/safetensors/index#format
struct Entry {
  std::string name;
  DType dtype = DType::float32;
  Shape shape;
  std::uint64_t begin = 0;  ///< first byte, counted from the end of the header
  std::uint64_t end = 0;    ///< one past the last byte, counted likewise
};

/// Bytes of the length field at the start of a file.
inline constexpr std::uint64_t length_bytes = 8;

/// The length of the JSON header, from the first eight bytes of a file of `file_size` bytes. Throws an
/// error of `code` that names `where` if the file is too short for it.
std::uint64_t header_length(std::span<const std::byte> first_eight, std::uint64_t file_size, ErrorCode code,
                            const std::string& where);

/// Reads the JSON header. The entries come in the order of their bytes. Throws an error of `code` that
/// names `where` if the JSON is malformed, a dtype is unknown, or offsets do not cover the
/// `data_size` bytes behind the header exactly, without holes or overlap.
std::vector<Entry> parse_header(std::string_view json, std::uint64_t data_size, ErrorCode code,
                                const std::string& where);

/// Length field and JSON header for entries whose `begin` and `end` are set, padded with spaces so that
/// the data starts at a multiple of 8.
std::string serialize_header(const std::vector<Entry>& entries);

}  // namespace kit::safetensors
