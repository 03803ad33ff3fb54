#include <gtest/gtest.h>

#include "archive_builder.h"
#include "core/safetensors.h"
#include "expect_error.h"

namespace kit::safetensors {
namespace {

using test::bytes_of;
using test::expect_error;

std::vector<Entry> parse(const std::string& json, std::uint64_t size) {
  return parse_header(json, size, ErrorCode::input, "x.safetensors");
}

TEST(SafetensorsHeader, ReadsWhatItWrites) {
  const std::vector<Entry> entries{{"b", DType::bfloat16, {2, 3}, 0, 12}, {"a", DType::boolean, {}, 12, 13}};
  const std::string text = serialize_header(entries);
  EXPECT_EQ(text.size() % 8, 0U);
  const auto length = header_length(bytes_of(text), text.size() + 13, ErrorCode::input, "x");
  ASSERT_EQ(length + length_bytes, text.size());
  const auto read = parse(text.substr(length_bytes), 13);
  ASSERT_EQ(read.size(), 2U);
  EXPECT_EQ(read[0].name, "b");
  EXPECT_EQ(read[0].shape, (Shape{2, 3}));
  EXPECT_EQ(read[1].dtype, DType::boolean);
}

TEST(SafetensorsHeader, SkipsMetadata) { EXPECT_EQ(parse(R"({"__metadata__": {"k": "v"}})", 0).size(), 0U); }

TEST(SafetensorsHeader, RefusesWhatDoesNotFit) {
  const auto refuse = [](const char* text, const char* json, std::uint64_t size) {
    expect_error(ErrorCode::input, text, [&] { parse(json, size); });
  };
  refuse("not a safetensors file", "[1]", 0);
  refuse("not a safetensors file", "{", 0);
  refuse("unknown dtype F8", R"({"a": {"dtype": "F8", "shape": [], "data_offsets": [0, 1]}})", 1);
  refuse("do not fit its shape", R"({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}})", 4);
  refuse("do not fit its shape", R"({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}})", 4);
  refuse("no count", R"({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}})", 4);
  refuse("larger than memory",
         R"({"a": {"dtype": "F32", "shape": [9223372036854775807, 3], "data_offsets": [0, 4]}})", 4);
  refuse("no pair", R"({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0]}})", 1);
  refuse("a hole or an overlap", R"({"a": {"dtype": "U8", "shape": [1], "data_offsets": [1, 2]}})", 2);
  refuse("need 1 bytes, it holds 2", R"({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}})", 2);
}

TEST(SafetensorsHeader, RefusesALengthBeyondTheFile) {
  expect_error(ErrorCode::archive, "shorter than the length field",
               [] { header_length(bytes_of("1234"), 4, ErrorCode::archive, "x"); });
  expect_error(ErrorCode::archive, "or cut short",
               [] { header_length(bytes_of(std::string(8, '\xff')), 8, ErrorCode::archive, "x"); });
}

}  // namespace
}  // namespace kit::safetensors
