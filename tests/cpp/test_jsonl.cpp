#include <cmath>
#include <limits>

#include "io_helpers.h"
#include "temp_dir.h"

using kit::DType;
using kit::ErrorCode;
using kit::Signature;
using kit::Tensor;
using kit::io::Format;

namespace {

const Signature points =
    signature({spec("x", DType::float32, {-1, 3})}, {spec("output", DType::float32, {-1, 1})});
const Signature two = signature({spec("ids", DType::int64, {-1, -2}), spec("mask", DType::boolean, {-1})},
                                {spec("logits", DType::float32, {-1, 2}), spec("class", DType::int64, {-1})});
const Signature whole = signature({spec("x", DType::float32, {-1, 3}), spec("w", DType::float64, {})},
                                  {spec("sum", DType::float64, {})});
const Signature unknown{{unknown_spec("x")}, {}, {}};

std::vector<std::vector<Tensor>> read(const Signature& signature, const std::string& content,
                                      std::int64_t rows = 1000) {
  const TempDir dir;
  const auto jsonl = reader(Format::jsonl, dir.write("in.jsonl", content), signature);
  std::vector<std::vector<Tensor>> calls;
  while (auto inputs = jsonl->next(rows)) calls.push_back(std::move(*inputs));
  return calls;
}

void refuse(const Signature& signature, const std::string& content, std::vector<std::string> parts) {
  parts.push_back("in.jsonl");
  expect_error(ErrorCode::input, parts, [&] { read(signature, content); });
}

std::string written(const Signature& signature, const std::vector<std::vector<Tensor>>& calls, bool by_row) {
  const TempDir dir;
  write_all_calls(Format::jsonl, dir.path("out.jsonl"), signature, by_row, calls);
  return dir.read("out.jsonl");
}

}  // namespace

TEST(JsonlReader, ALineIsARow) {
  const auto calls = read(points, "{\"x\": [1, 2, 3]}\n\n[4, 5.0, 6e0]\r\n");
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].at(0).str(), "float32[2, 3]");
  EXPECT_EQ(values<float>(calls[0][0]), (std::vector<float>{1, 2, 3, 4, 5, 6}));
}

TEST(JsonlReader, BatchesEndWhereTheyAreFullOrTheShapeChanges) {
  const std::string line = "{\"mask\": true, \"ids\": [1, 2]}\n";
  const std::string longer = "{\"ids\": [-1, 9007199254740993, 3], \"mask\": 0}\n";
  const auto calls = read(two, line + line + line + longer, 2);
  ASSERT_EQ(calls.size(), 3u);
  EXPECT_EQ(calls[0].at(0).str(), "int64[2, 2]");
  EXPECT_EQ(calls[1].at(0).str(), "int64[1, 2]");
  EXPECT_EQ(calls[2].at(0).str(), "int64[1, 3]");
  EXPECT_EQ(values<std::int64_t>(calls[2][0]), (std::vector<std::int64_t>{-1, 9007199254740993, 3}));
  EXPECT_EQ(values<bool>(calls[0][1]), (std::vector<bool>{true, true}));
}

TEST(JsonlReader, WithoutRowsALineIsACall) {
  const auto calls = read(whole, "{\"x\": [[1,2,3],[4,5,6]], \"w\": 0.5}\n{\"x\": [], \"w\": 1}\n");
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].at(0).str(), "float32[2, 3]");
  EXPECT_EQ(values<double>(calls[0].at(1)), std::vector<double>{0.5});
  EXPECT_EQ(calls[1].at(0).str(), "float32[0, 3]");
}

TEST(JsonlReader, WithoutAManifestNumbersAreFloat32) {
  const auto calls = read(unknown, "{\"x\": [[1, 2]]}\n7\n");
  EXPECT_EQ(calls.at(0).at(0).str(), "float32[1, 2]");
  EXPECT_EQ(calls.at(1).at(0).str(), "float32[]");
}

TEST(JsonlReader, NanAndInfinityAreStrings) {
  const auto row = values<float>(read(points, "[\"NaN\", \"Infinity\", \"-Infinity\"]\n").at(0).at(0));
  EXPECT_TRUE(std::isnan(row[0]));
  EXPECT_EQ(row[1], std::numeric_limits<float>::infinity());
  EXPECT_EQ(row[2], -std::numeric_limits<float>::infinity());
  refuse(points, "[NaN, 1, 2]\n", {"line 1", "with quotes"});
}

TEST(JsonlReader, WhatDoesNotFitSaysWhere) {
  refuse(points, "[1,2,3]\n{\"x\": [1,\"abc\",3]}\n", {"line 2", "'x'", "[1]", "\"abc\" is no float32"});
  refuse(points, "[1,2,3]\n[1,2\n", {"line 2", "is no JSON"});
  refuse(points, "[1,2]\n", {"line 1", "float32[batch, 3] is wanted", "[2]"});
  refuse(points, "[[1,2,3]]\n", {"line 1", "[1, 3]"});
  refuse(points, "{\"y\": [1,2,3]}\n", {"line 1", "missing: x", "no input of the model: y"});
  refuse(points, "[1,2,1e39]\n", {"line 1", "[2]", "is no float32"});
  refuse(points, "[1,2,1e400]\n", {"line 1", "no float64 can hold"});
  refuse(points, "[1,[2],3]\n", {"line 1", "at [1]: a list of 1 is no float32"});
  refuse(two, "[1,2]\n", {"line 1", "ids, mask"});
  refuse(two, "{\"ids\": [1.5], \"mask\": true}\n", {"'ids'", "1.5 is no int64"});
  refuse(two, "{\"ids\": [9223372036854775808], \"mask\": true}\n", {"is no int64"});
  refuse(two, "{\"ids\": [1], \"mask\": 2}\n", {"'mask'", "2 is no bool"});
  refuse(whole, "{\"x\": [[1,2,3],[4,5]], \"w\": 1}\n",
         {"at [1]", "a list of 3 is wanted", "a list of 2 came"});
  refuse(points, "null\n", {"line 1"});
  refuse(points, "\xFF\xFE\n", {"line 1", "is no JSON"});
}

TEST(JsonlReader, DeepNestingIsRefusedNotFollowed) {
  const std::string deep = std::string(200'000, '[') + std::string(200'000, ']') + "\n";
  refuse(points, std::string(200'000, '[') + "\n", {"line 1"});
  refuse(points, deep, {"line 1", "deeper than the 64 dimensions"});
  refuse(unknown, deep, {"line 1", "deeper than the 64 dimensions"});
  const std::string inner = deep.substr(0, deep.size() - 1);
  refuse(points, "[1," + inner + ",3]\n", {"line 1", "at [1]: a list of 1 is no float32"});
  refuse(whole, "{\"x\": [[1,2,3]," + inner + "], \"w\": 1}\n", {"at [1]", "a list of 1 came"});
  refuse(two, deep, {"line 1", "the inputs ids, mask is wanted, but a list of 1 came"});
  refuse(two, "{\"ids\": [1," + inner + "], \"mask\": true}\n", {"a list of 1 is no int64"});
}

TEST(JsonlWriter, AnObjectForEachRow) {
  const std::vector<Tensor> call{Tensor::of<float>({0.1f, std::nanf(""), 3, 4}, {2, 2}),
                                 Tensor::of<std::int64_t>({7, -8}, {2})};
  EXPECT_EQ(written(two, {call, call}, true),
            "{\"logits\":[0.1,\"NaN\"],\"class\":7}\n{\"logits\":[3,4],\"class\":-8}\n"
            "{\"logits\":[0.1,\"NaN\"],\"class\":7}\n{\"logits\":[3,4],\"class\":-8}\n");
}

TEST(JsonlWriter, AnObjectForEachCall) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(
      written(whole, {{Tensor::of<double>({infinity}, {})}, {Tensor::of<double>({-infinity}, {})}}, false),
      "{\"sum\":\"Infinity\"}\n{\"sum\":\"-Infinity\"}\n");
  EXPECT_EQ(
      written(unknown, {{Tensor::of<bool>({true, false}, {1, 2}), Tensor::of<float>({}, {0, 2})}}, false),
      "{\"output.0\":[[true,false]],\"output.1\":[]}\n");
}

TEST(JsonlWriter, WithoutRowsWritesNothing) { EXPECT_EQ(written(two, {}, true), ""); }

TEST(JsonlWriter, EscapesNamesAndRefusesComplexNumbers) {
  const Signature odd = signature({spec("x", DType::float32, {-1})}, {spec("a\"b\n", DType::float32, {-1})});
  EXPECT_EQ(written(odd, {{Tensor::of<float>({1}, {1})}}, true), "{\"a\\\"b\\n\":1}\n");
  const Signature complex = signature({spec("x", DType::float32, {-1})}, {spec("z", DType::complex64, {-1})});
  expect_error(ErrorCode::usage, {"'z'", ".safetensors"}, [&] { written(complex, {}, true); });
}
