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

/// Two inputs of two dtypes: columns a, b.0, b.1.
const Signature mixed = signature({spec("a", DType::int64, {-1}), spec("b", DType::boolean, {-1, 2})},
                                  {spec("output", DType::float32, {-1})});

const Signature unknown{{unknown_spec("x")}, {}, {}};

std::vector<Tensor> read(const Signature& signature, const std::string& content, std::int64_t rows = 1000) {
  const TempDir dir;
  const auto csv = reader(Format::csv, dir.write("in.csv", content), signature);
  std::vector<Tensor> result = csv->next(rows).value_or(std::vector<Tensor>{});
  EXPECT_FALSE(csv->next(rows)) << "all rows were expected at once";
  return result;
}

std::vector<float> floats(const std::string& content) { return values<float>(read(points, content).at(0)); }

void refuse(const Signature& signature, const std::string& content, std::vector<std::string> parts) {
  parts.push_back("in.csv");
  expect_error(ErrorCode::input, parts, [&] { read(signature, content); });
}

std::string written(const Signature& signature, const std::vector<std::vector<Tensor>>& calls,
                    bool by_row = true) {
  const TempDir dir;
  write_all_calls(Format::csv, dir.path("out.csv"), signature, by_row, calls);
  return dir.read("out.csv");
}

using Floats = std::vector<float>;
const Floats one_to_six{1, 2, 3, 4, 5, 6};

}  // namespace

TEST(CsvReader, ReadsRowsWithAndWithoutHeader) {
  EXPECT_EQ(floats("1,2,3\n4,5,6\n"), one_to_six);
  EXPECT_EQ(floats("x.0,x.1,x.2\n1,2,3\n4,5,6\n"), one_to_six);
  EXPECT_EQ(floats("height,width,depth\n1,2,3\n4,5,6\n"), one_to_six);
  EXPECT_EQ(read(points, "1,2,3\n4,5,6\n")[0].str(), "float32[2, 3]");
}

TEST(CsvReader, GoesByNameWhereTheHeaderHasTheNames) {
  EXPECT_EQ(floats("x.2,x.0,x.1\n3,1,2\n6,4,5\n"), one_to_six);
  const auto tensors = read(mixed, "b.1,a,b.0\n1,-7,0\n");
  EXPECT_EQ(values<std::int64_t>(tensors.at(0)), std::vector<std::int64_t>{-7});
  EXPECT_EQ(values<bool>(tensors.at(1)), (std::vector<bool>{false, true}));
}

TEST(CsvReader, TakesWhatProgramsWrite) {
  EXPECT_EQ(floats("\xEF\xBB\xBF"
                   "1,2,3\r\n4,5,6"),
            one_to_six);
  EXPECT_EQ(floats("\"x.0\",\"x.1\",\"x.2\"\r\n\"1\",\"2\",\"3\"\r\n\"4\",5,\"6\"\r\n"), one_to_six);
  EXPECT_EQ(floats("  1 ,\t2, 3 \n 4 , 5 , \"6\" \n\n  \n\r\n"), one_to_six);
  EXPECT_EQ(floats("\"a, b\",\"say \"\"hi\"\"\",c\n1,2,3\n4,5,6\n"), one_to_six);
  EXPECT_EQ(floats("1,2,3\n+4,5e0,6.000\n"), one_to_six);
}

TEST(CsvReader, NanAndInfinityAreNumbers) {
  const Floats row = floats("nan,-inf,Infinity\n");
  EXPECT_TRUE(std::isnan(row.at(0)));
  EXPECT_EQ(row.at(1), -std::numeric_limits<float>::infinity());
  EXPECT_EQ(row.at(2), std::numeric_limits<float>::infinity());
}

TEST(CsvReader, ReadsEveryDtype) {
  const auto tensors = read(mixed, "9007199254740993,true,0\n-1,False,1\n");
  EXPECT_EQ(values<std::int64_t>(tensors.at(0)), (std::vector<std::int64_t>{9007199254740993, -1}));
  EXPECT_EQ(values<bool>(tensors.at(1)), (std::vector<bool>{true, false, false, true}));
  const Signature half =
      signature({spec("x", DType::float16, {-1, 1})}, {spec("output", DType::float16, {-1})});
  EXPECT_EQ(*static_cast<std::uint16_t*>(read(half, "1.5\n").at(0).data()), 0x3E00);
}

TEST(CsvReader, StreamsInBatches) {
  const TempDir dir;
  std::string content = "x.0,x.1,x.2\n";
  for (int i = 0; i < 100'000; ++i) content += std::to_string(i) + ",0.5,-1\n";
  const auto csv = reader(Format::csv, dir.write("in.csv", content), points);
  std::int64_t rows = 0;
  while (const auto inputs = csv->next(999)) {
    const Tensor& tensor = inputs->front();
    for (std::int64_t i = 0; i < tensor.shape()[0]; ++i)
      ASSERT_EQ(tensor.data_as<float>()[i * 3], static_cast<float>(rows + i));
    rows += tensor.shape()[0];
  }
  EXPECT_EQ(rows, 100'000);
}

TEST(CsvReader, WithoutRowsGivesNothing) {
  EXPECT_TRUE(read(points, "").empty());
  EXPECT_TRUE(read(points, "\n\n").empty());
  EXPECT_TRUE(read(points, "x.0,x.1,x.2\n").empty());
}

TEST(CsvReader, WrongColumnsSayWhatIsWanted) {
  refuse(points, "1,2\n", {"line 1", "2 columns came", "3 columns are wanted", "x.0, x.1, x.2"});
  refuse(points, "1,2,3,4\n", {"line 1", "4 columns came"});
  refuse(points, "a,b,c,d\n1,2,3\n", {"line 1", "4 columns came"});
  refuse(points, "1;2;3\n", {"line 1", "1 column came", "commas"});
  refuse(points, "1,2,3\n4,5\n", {"line 2", "2 columns came"});
  refuse(points, "1,2,3\n4,5,6,\n", {"line 2", "4 columns came"});
}

TEST(CsvReader, TextInANumberSaysWhere) {
  refuse(points, "1,2,3\n4,abc,6\n", {"line 2", "column 2 (x.1)", "'abc' is no number"});
  refuse(points, "x.2,x.0,x.1\n1,2,3\n4,oops,6\n", {"line 3", "column 2 (x.0)", "'oops'"});
  refuse(points, "1,2,3x\n", {"line 1", "column 3 (x.2)", "'3x'"});
  refuse(points, "1,2,3\n4,,6\n", {"line 2", "column 2 (x.1)", "the field is empty", "nan"});
  refuse(points, "1,2,3\n4,1e39,6\n", {"'1e39' is out of the range of float32"});
  refuse(mixed, "1.5,0,1\n", {"line 1", "column 1 (a)", "'1.5' is no int64"});
  refuse(mixed, "99999999999999999999,0,1\n", {"out of the range of int64"});
  refuse(mixed, "1,2,1\n", {"column 2 (b.0)", "'2' is out of the range of bool"});
}

TEST(CsvReader, AFirstLineThatIsHalfAHeaderIsRefused) {
  refuse(points, "1,abc,3\n4,5,6\n", {"line 1", "column 2", "'abc'", "neither a header"});
  refuse(points, "N/A,null,\n4,5,6\n", {"line 1", "column 1", "'N/A'", "neither a number"});
  refuse(points, "a,,c\n4,5,6\n", {"line 1", "column 2", "''", "neither a number"});
  refuse(points, "x.1,x.0,depth\n1,2,3\n", {"line 1", "column 1", "'x.1'", "belongs elsewhere"});
}

TEST(CsvReader, BrokenLinesAreRefused) {
  refuse(points, "1,2,3\n\n4,5,6\n", {"line 2", "the line is empty"});
  refuse(points, "1,2,3\n4,\"5,6\n", {"line 2", "a quote is not closed"});
  refuse(points, "1,2,3\n4,\"5\"x,6\n", {"line 2", "text follows a closing quote"});
  refuse(points, std::string("1,2,3\n4,5\0,6\n", 13), {"line 2"});
}

TEST(CsvReader, WhatHasNoFixedColumnsNamesOtherFormats) {
  const Signature sequence =
      signature({spec("x", DType::float32, {-1, -2})}, {spec("output", DType::float32, {-1})});
  refuse(sequence, "1\n", {"float32[batch, time]", ".jsonl, .npy or .safetensors"});
  const Signature scalar = signature({spec("x", DType::float32, {})}, {spec("output", DType::float32, {})});
  refuse(scalar, "1\n", {".safetensors"});
  const Signature complex =
      signature({spec("x", DType::complex64, {-1})}, {spec("output", DType::float32, {-1})});
  refuse(complex, "1\n", {"complex64", ".safetensors"});
}

TEST(CsvReader, WithoutAManifestTheFirstLineTellsTheColumns) {
  const auto tensors = read(unknown, "1,2,3,4\n5,6,7,8\n");
  EXPECT_EQ(tensors.at(0).str(), "float32[2, 4]");
  EXPECT_EQ(read(unknown, "a,b\n1,2\n").at(0).str(), "float32[1, 2]");
  refuse(unknown, "1,2\n1,2,3\n", {"line 2", "3 columns came"});
  refuse({{unknown_spec("x"), unknown_spec("y")}, {}, {}}, "1,2\n",
         {"no manifest", "2 inputs", ".safetensors"});
}

TEST(CsvWriter, PutsOutputsSideBySide) {
  const Signature two = signature({spec("x", DType::float32, {-1})}, {spec("logits", DType::float32, {-1, 2}),
                                                                      spec("class", DType::int64, {-1})});
  const std::vector<Tensor> first{Tensor::of<float>({0.1f, -2, 3e20f, 4}, {2, 2}),
                                  Tensor::of<std::int64_t>({7, -8}, {2})};
  const std::vector<Tensor> second{Tensor::of<float>({5, 6}, {1, 2}), Tensor::of<std::int64_t>({9}, {1})};
  EXPECT_EQ(written(two, {first, second}), "logits.0,logits.1,class\n0.1,-2,7\n3e+20,4,-8\n5,6,9\n");
}

TEST(CsvWriter, SpellsWhatIsNoNumber) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(written(points, {{Tensor::of<float>({std::nanf(""), infinity, -infinity}, {3, 1})}}),
            "output\nnan\ninf\n-inf\n");
  const Signature flag =
      signature({spec("x", DType::float32, {-1})}, {spec("a,\"b\"", DType::boolean, {-1})});
  EXPECT_EQ(written(flag, {{Tensor::of<bool>({true, false}, {2})}}), "\"a,\"\"b\"\"\"\n1\n0\n");
}

TEST(CsvWriter, WithoutRowsWritesTheHeader) {
  EXPECT_EQ(written(points, {}), "output\n");
  EXPECT_EQ(written(points, {{Tensor::of<float>({}, {0, 1})}}), "output\n");
  expect_error(ErrorCode::input, {"empty"}, [] { written(unknown, {}); });
}

TEST(CsvWriter, WithoutAManifestNamesTheOutputs) {
  EXPECT_EQ(written(unknown, {{Tensor::of<float>({1, 2}, {1, 2})}}), "output.0,output.1\n1,2\n");
  EXPECT_EQ(written(unknown, {{Tensor::of<float>({1}, {1}), Tensor::of<float>({2}, {1, 1})}}),
            "output.0,output.1\n1,2\n");
}

TEST(CsvWriter, RefusesWhatHasNoRows) {
  const Signature sum = signature({spec("x", DType::float32, {-1})},
                                  {spec("y", DType::float32, {-1}), spec("sum", DType::float32, {})});
  expect_error(ErrorCode::usage, {"'sum'", "float32[]", ".safetensors"}, [&] { written(sum, {}, false); });
  const Signature pooled = signature({spec("x", DType::float32, {-1})},
                                     {spec("y", DType::float32, {-1}), spec("w", DType::float32, {7})});
  expect_error(ErrorCode::usage, {"'w'", ".safetensors"}, [&] { written(pooled, {}, false); });
  const Signature complex = signature({spec("x", DType::float32, {-1})}, {spec("z", DType::complex64, {-1})});
  expect_error(ErrorCode::usage, {"'z'", "complex64"}, [&] { written(complex, {}); });
  expect_error(ErrorCode::input, {"call of its own", ".jsonl"}, [] {
    const std::vector<Tensor> call{Tensor::of<float>({1}, {1, 1})};
    written(points, {call, call}, false);
  });
  expect_error(ErrorCode::input, {"output.1", "does not have the rows"}, [] {
    written(unknown, {{Tensor::of<float>({1}, {1}), Tensor::of<float>({1, 2}, {2})}});
  });
}
