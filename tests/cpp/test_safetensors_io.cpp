#include <unistd.h>

#include <cstring>
#include <thread>

#include "core/safetensors.h"
#include "io_helpers.h"
#include "temp_dir.h"

using kit::DType;
using kit::ErrorCode;
using kit::Signature;
using kit::Tensor;
using kit::io::Format;

namespace {

const Signature rows = signature({spec("a", DType::float32, {-1, 2}), spec("b", DType::int64, {-1})},
                                 {spec("y", DType::boolean, {-1}), spec("z", DType::float64, {-1, 2})});
const Signature whole = signature({spec("m", DType::float32, {2, 2}), spec("s", DType::float32, {})},
                                  {spec("sum", DType::float32, {})});
const Signature none{{}, {spec("c", DType::float32, {1})}, {}};

struct Named {
  std::string name;
  Tensor tensor;
};

std::string file(const std::vector<Named>& tensors) {
  std::vector<kit::safetensors::Entry> entries;
  std::string data;
  for (const Named& named : tensors) {
    const std::size_t begin = data.size();
    data.append(static_cast<const char*>(named.tensor.data()), named.tensor.nbytes());
    entries.push_back({named.name, named.tensor.dtype(), named.tensor.shape(), begin, data.size()});
  }
  return kit::safetensors::serialize_header(entries) + data;
}

const Tensor a = Tensor::of<float>({1, 2, 3, 4, 5, 6}, {3, 2});
const Tensor b = Tensor::of<std::int64_t>({7, 8, 9}, {3});

void refuse(const Signature& signature, const std::string& content, std::vector<std::string> parts) {
  const TempDir dir;
  const std::string path = dir.write("in.safetensors", content);
  parts.push_back("in.safetensors");
  expect_error(ErrorCode::input, parts, [&] { reader(Format::safetensors, path, signature); });
}

}  // namespace

TEST(SafetensorsReader, StreamsRowsByName) {
  const TempDir dir;
  const auto input =
      reader(Format::safetensors, dir.write("in.safetensors", file({{"b", b}, {"a", a}})), rows);
  const auto first = input->next(2);
  EXPECT_EQ(values<float>(first->at(0)), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(values<std::int64_t>(first->at(1)), (std::vector<std::int64_t>{7, 8}));
  const auto second = input->next(2);
  EXPECT_EQ(values<float>(second->at(0)), (std::vector<float>{5, 6}));
  EXPECT_EQ(values<std::int64_t>(second->at(1)), (std::vector<std::int64_t>{9}));
  EXPECT_FALSE(input->next(2));
}

TEST(SafetensorsReader, WithoutRowsTheFileIsOneCall) {
  const TempDir dir;
  const std::string path =
      dir.write("in.safetensors",
                file({{"m", Tensor::of<float>({1, 2, 3, 4}, {2, 2})}, {"s", Tensor::of<float>({5}, {})}}));
  const auto input = reader(Format::safetensors, path, whole);
  const auto call = input->next(1);
  EXPECT_EQ(call->at(0).str(), "float32[2, 2]");
  EXPECT_EQ(call->at(1).str(), "float32[]");
  EXPECT_FALSE(input->next(1));
}

TEST(SafetensorsReader, AModelWithoutInputsIsCalledOnce) {
  const TempDir dir;
  const auto input = reader(Format::safetensors, dir.write("in.safetensors", file({})), none);
  ASSERT_TRUE(input->next(1));
  EXPECT_FALSE(input->next(1));
}

TEST(SafetensorsReader, ReadsAPipe) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const std::string content = file({{"a", a}, {"b", b}});
  std::thread writer([&] {
    for (const char c : content) ASSERT_EQ(::write(ends[1], &c, 1), 1);
    ::close(ends[1]);
  });
  const auto input = reader(Format::safetensors, "/proc/self/fd/" + std::to_string(ends[0]), rows);
  writer.join();
  ::close(ends[0]);
  EXPECT_EQ(values<float>(input->next(10)->at(0)), values<float>(a));
}

TEST(SafetensorsReader, NamesHaveToBeTheInputs) {
  refuse(rows, file({{"a", a}, {"c", b}}), {"missing: b", "no input of the model: c"});
  refuse(rows, file({{"a", a}}), {"missing: b"});
  refuse(rows, file({{"a", a}, {"b", b}, {"extra", b}}), {"no input of the model: extra"});
}

TEST(SafetensorsReader, TensorsHaveToFit) {
  refuse(rows, file({{"a", b}, {"b", b}}), {"'a'", "float32[batch, 2]", "int64[3] came"});
  refuse(rows, file({{"a", Tensor::of<float>({1, 2, 3}, {3, 1})}, {"b", b}}), {"'a'", "float32[3, 1] came"});
  refuse(rows, file({{"a", Tensor::of<float>({1, 2}, {1, 2})}, {"b", b}}), {"'b' has 3 rows", "'a' has 1"});
  refuse(whole, file({{"m", a}, {"s", Tensor::of<float>({5}, {})}}),
         {"'m'", "float32[2, 2]", "float32[3, 2] came"});
}

TEST(SafetensorsReader, DamageIsRefused) {
  const std::string content = file({{"a", a}, {"b", b}});
  for (std::size_t size = 0; size < content.size(); ++size) refuse(rows, content.substr(0, size), {});
  refuse(rows, content + "x", {});
  refuse(rows, "1,2,3\n4,5,6\n7,8,9\n", {});
}

TEST(SafetensorsWriter, PutsTheRowsOfAllCallsTogether) {
  const TempDir dir;
  const std::vector<Tensor> first{Tensor::of<bool>({true, false}, {2}),
                                  Tensor::of<double>({1, 2, 3, 4}, {2, 2})};
  const std::vector<Tensor> second{Tensor::of<bool>({true}, {1}), Tensor::of<double>({5, 6}, {1, 2})};
  write_all_calls(Format::safetensors, dir.path("out.safetensors"), rows, true, {first, second});
  const Signature back = signature({rows.outputs[0], rows.outputs[1]}, {spec("q", DType::float32, {-1})});
  const auto call = reader(Format::safetensors, dir.path("out.safetensors"), back)->next(100);
  EXPECT_EQ(values<bool>(call->at(0)), (std::vector<bool>{true, false, true}));
  EXPECT_EQ(values<double>(call->at(1)), (std::vector<double>{1, 2, 3, 4, 5, 6}));
}

TEST(SafetensorsWriter, WritesScalarsAndUnknownOutputs) {
  const TempDir dir;
  write_all_calls(Format::safetensors, dir.path("out.safetensors"), whole, false,
                  {{Tensor::of<float>({7}, {})}});
  EXPECT_NE(dir.read("out.safetensors").find("\"sum\""), std::string::npos);
  const Signature unknown{{unknown_spec("x")}, {}, {}};
  write_all_calls(Format::safetensors, dir.path("two.safetensors"), unknown, false, {{a, b}});
  EXPECT_NE(dir.read("two.safetensors").find("\"output.1\""), std::string::npos);
}

TEST(SafetensorsWriter, WithoutRowsWritesEmptyTensors) {
  const TempDir dir;
  write_all_calls(Format::safetensors, dir.path("out.safetensors"), rows, true, {});
  const Signature back = signature({rows.outputs[0], rows.outputs[1]}, {spec("q", DType::float32, {-1})});
  EXPECT_FALSE(reader(Format::safetensors, dir.path("out.safetensors"), back)->next(100));
}

TEST(SafetensorsWriter, RefusesRowsOfAnotherKind) {
  const TempDir dir;
  const Signature points = signature({spec("x", DType::float32, {-1})}, {spec("y", DType::float32, {-1, 1})});
  const Tensor first = Tensor::of<float>({1}, {1, 1});
  for (const Tensor& other : {Tensor::of<float>({1, 2}, {1, 2}), Tensor::of<double>({1}, {1, 1})})
    expect_error(
        ErrorCode::input, {"output 'y'", other.str(), "those before are float32[1, 1]", ".jsonl"}, [&] {
          write_all_calls(Format::safetensors, dir.path("out.safetensors"), points, true, {{first}, {other}});
        });
  EXPECT_TRUE(dir.names().empty());
}

TEST(SafetensorsWriter, RefusesASecondCall) {
  const TempDir dir;
  const std::vector<Tensor> call{Tensor::of<float>({7}, {})};
  expect_error(ErrorCode::input, {".jsonl"}, [&] {
    write_all_calls(Format::safetensors, dir.path("out.safetensors"), whole, false, {call, call});
  });
  EXPECT_TRUE(dir.names().empty());
}
