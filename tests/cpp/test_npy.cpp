#include <unistd.h>

#include <cstring>
#include <thread>

#include "io/npy_header.h"
#include "io_helpers.h"
#include "temp_dir.h"

using kit::DType;
using kit::ErrorCode;
using kit::Signature;
using kit::Tensor;
using kit::io::Format;

namespace npy = kit::io::npy;

namespace {

const Signature points =
    signature({spec("x", DType::float32, {-1, 3})}, {spec("output", DType::float32, {-1, 3})});
const Signature scalar = signature({spec("x", DType::float32, {})}, {spec("output", DType::float32, {})});

std::string bytes_of(const std::vector<float>& values) {
  std::string bytes(values.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

/// A file as NumPy writes it, with any dict and version.
std::string file(const std::string& dict, const std::string& data, char version = 1) {
  std::string header = dict + "\n";
  std::string result = "\x93NUMPY";
  result += version;
  result += '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i)
    result += static_cast<char>(header.size() >> (8 * i) & 0xFF);
  return result + header + data;
}

std::string plain(const std::string& data) {
  return file("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", data);
}

std::vector<float> read(const std::string& content, std::int64_t rows = 1000,
                        const Signature& signature = points) {
  const TempDir dir;
  const auto npy = reader(Format::npy, dir.write("in.npy", content), signature);
  std::vector<float> all;
  while (const auto inputs = npy->next(rows))
    for (const float value : values<float>(inputs->at(0))) all.push_back(value);
  return all;
}

void refuse(const std::string& content, std::vector<std::string> parts) {
  parts.push_back("in.npy");
  expect_error(ErrorCode::input, parts, [&] { read(content); });
}

const std::vector<float> one_to_six{1, 2, 3, 4, 5, 6};
const std::string data = bytes_of(one_to_six);

}  // namespace

TEST(NpyReader, ReadsAllVersions) {
  for (const char version : {1, 2, 3})
    EXPECT_EQ(read(file("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   ", data, version)),
              one_to_six);
}

TEST(NpyReader, StreamsRows) {
  EXPECT_EQ(read(plain(data), 1), one_to_six);
  EXPECT_EQ(read(file("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3), }", "")),
            std::vector<float>{});
  EXPECT_EQ(read(file("{'descr': '<f4', 'fortran_order': False, 'shape': (), }", bytes_of({7})), 1, scalar),
            std::vector<float>{7});
}

TEST(NpyReader, PutsFortranOrderRight) {
  const std::string turned = bytes_of({1, 4, 2, 5, 3, 6});
  for (const std::int64_t rows : {1, 2, 5})
    EXPECT_EQ(read(file("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", turned), rows),
              one_to_six);
  EXPECT_EQ(read(file("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 3), }", bytes_of({1, 2, 3}))),
            (std::vector<float>{1, 2, 3}));
}

TEST(NpyReader, ReadsAPipe) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const std::string content = plain(data);
  std::thread writer([&] {
    for (const char c : content) ASSERT_EQ(::write(ends[1], &c, 1), 1);
    ::close(ends[1]);
  });
  const auto npy = reader(Format::npy, "/proc/self/fd/" + std::to_string(ends[0]), points);
  EXPECT_EQ(values<float>(npy->next(10)->at(0)), one_to_six);
  EXPECT_FALSE(npy->next(10));
  writer.join();
  ::close(ends[0]);
}

TEST(NpyReader, AnotherDtypeIsRefusedWithTheRemedy) {
  refuse(file("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 3), }", std::string(24, '\0')),
         {"'x'", "float32[batch, 3]", "float64[1, 3]", "astype"});
  refuse(file("{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3), }", data),
         {"big-endian", "astype('<f4')"});
  refuse(file("{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }", data), {"'|O'"});
  refuse(file("{'descr': '<V2', 'fortran_order': False, 'shape': (2, 3), }", data),
         {"'<V2'", ".safetensors"});
  refuse(file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (6,), }", data), {"named fields"});
}

TEST(NpyReader, AnotherShapeIsRefused) {
  refuse(file("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }", data),
         {"'x'", "float32[3, 2] came"});
  refuse(file("{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }", data), {"float32[6] came"});
}

TEST(NpyReader, DamageIsRefused) {
  refuse("", {"is no .npy file"});
  refuse("1,2,3\n4,5,6\n", {"is no .npy file"});
  refuse(file("{'descr': '<f4'}", data, 4), {"version 4"});
  for (const char* dict : {"", "{}", "{'descr': '<f4', 'fortran_order': False}", "[1]",
                           "{'descr': '<f4', 'fortran_order': 0, 'shape': ()}",
                           "{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3)}",
                           "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3",
                           "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 3)}"})
    refuse(file(dict, data), {"header is malformed"});
  refuse(file("{'descr': '<f4', 'fortran_order': False, 'shape': (4000000000000000000, 3), }", data),
         {"fits in no memory"});
  refuse(plain(data + "x"), {"24 bytes", "25", "damaged"});
  const std::string content = plain(data);
  for (std::size_t size = 0; size < content.size(); ++size) refuse(content.substr(0, size), {});
}

TEST(NpyReader, HoldsOneInput) {
  const Signature two = signature({spec("x", DType::float32, {-1}), spec("y", DType::float32, {-1})},
                                  {spec("z", DType::float32, {-1})});
  const TempDir dir;
  const std::string path = dir.write("in.npy", plain(data));
  expect_error(ErrorCode::input, {"2 inputs", ".safetensors"}, [&] { reader(Format::npy, path, two); });
}

TEST(NpyHeader, ComesBackAsItWas) {
  for (const kit::Shape& shape : {kit::Shape{}, kit::Shape{5}, kit::Shape{0, 3}, kit::Shape{1, 2, 3, 4}}) {
    for (const DType dtype :
         {DType::boolean, DType::int8, DType::uint16, DType::float16, DType::float64, DType::complex128}) {
      const std::string text = npy::serialize({dtype, false, shape});
      EXPECT_EQ(text.size() % 64, 0u);
      const npy::Header back = npy::parse(std::string_view(text).substr(10), "here");
      EXPECT_EQ(back.dtype, dtype);
      EXPECT_EQ(back.shape, shape);
      EXPECT_FALSE(back.fortran_order);
    }
  }
  expect_error(ErrorCode::usage, {"bfloat16", ".safetensors"}, [] {
    npy::serialize({DType::bfloat16, false, {}});
  });
}

TEST(NpyWriter, TellsTheRowsOfAllCalls) {
  const TempDir dir;
  const std::vector<Tensor> call{Tensor::of<float>(one_to_six, {2, 3})};
  write_all_calls(Format::npy, dir.path("out.npy"), points, true, {call, call});
  const std::string content = dir.read("out.npy");
  EXPECT_NE(content.find("'shape': (4, 3), }"), std::string::npos);
  EXPECT_EQ(content.substr(content.size() - 48), data + data);
  EXPECT_EQ((content.size() - 48) % 64, 0u);
  const auto npy = reader(Format::npy, dir.path("out.npy"), points);
  EXPECT_EQ(npy->next(100)->at(0).str(), "float32[4, 3]");
}

TEST(NpyWriter, WritesTheSameToAPipe) {
  const TempDir dir;
  const std::vector<Tensor> call{Tensor::of<float>(one_to_six, {2, 3})};
  write_all_calls(Format::npy, dir.path("out.npy"), points, true, {call, call});
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  write_all_calls(Format::npy, "/proc/self/fd/" + std::to_string(ends[1]), points, true, {call, call});
  ::close(ends[1]);
  std::string piped(1 << 16, '\0');
  piped.resize(static_cast<std::size_t>(::read(ends[0], piped.data(), piped.size())));
  ::close(ends[0]);
  EXPECT_EQ(piped, dir.read("out.npy"));
}

TEST(NpyWriter, WithoutRowsOrWithoutLeadingRows) {
  const TempDir dir;
  write_all_calls(Format::npy, dir.path("none.npy"), points, true, {});
  EXPECT_NE(dir.read("none.npy").find("(0, 3)"), std::string::npos);
  write_all_calls(Format::npy, dir.path("scalar.npy"), scalar, false, {{Tensor::of<float>({7}, {})}});
  EXPECT_EQ(read(dir.read("scalar.npy"), 1, scalar), std::vector<float>{7});
}

TEST(NpyWriter, HoldsOneOutputOfOneCall) {
  const TempDir dir;
  const Signature two = signature({spec("x", DType::float32, {-1})},
                                  {spec("y", DType::float32, {-1}), spec("z", DType::float32, {-1})});
  expect_error(ErrorCode::usage, {"2 outputs", ".safetensors"},
               [&] { write_all_calls(Format::npy, dir.path("out.npy"), two, true, {}); });
  const Signature brain = signature({spec("x", DType::float32, {-1})}, {spec("y", DType::bfloat16, {-1})});
  expect_error(ErrorCode::usage, {"bfloat16", ".safetensors"},
               [&] { write_all_calls(Format::npy, dir.path("out.npy"), brain, true, {}); });
  const std::vector<Tensor> call{Tensor::of<float>({7}, {})};
  expect_error(ErrorCode::input, {".jsonl"}, [&] {
    write_all_calls(Format::npy, dir.path("out.npy"), scalar, false, {call, call});
  });
  const Tensor first = Tensor::of<float>({1}, {1, 1});
  for (const Tensor& other : {Tensor::of<float>({1, 2}, {1, 2}), Tensor::of<double>({1}, {1, 1})})
    expect_error(ErrorCode::input, {other.str(), "those before are float32[1, 1]", ".jsonl"}, [&] {
      write_all_calls(Format::npy, dir.path("out.npy"), points, true, {{first}, {other}});
    });
  EXPECT_TRUE(dir.names().empty());
}
