#include "io/format.h"

#include "io_helpers.h"

using kit::ErrorCode;
using kit::io::Format;

TEST(Format, IsToldByTheExtension) {
  EXPECT_EQ(kit::io::format_from_path("a/b.csv", "--format"), Format::csv);
  EXPECT_EQ(kit::io::format_from_path("b.JSONL", "--format"), Format::jsonl);
  EXPECT_EQ(kit::io::format_from_path("x.tar.npy", "--format"), Format::npy);
  EXPECT_EQ(kit::io::format_from_path("x.safetensors", "--format"), Format::safetensors);
}

TEST(Format, AnUnknownExtensionNamesTheOption) {
  for (const char* path : {"points", "points.txt", ".csv", "a.csv/points", "points."})
    expect_error(ErrorCode::usage, {path, "--output-format", "safetensors"},
                 [&] { kit::io::format_from_path(path, "--output-format"); });
}

TEST(Format, HasAName) {
  for (const Format format : {Format::csv, Format::jsonl, Format::npy, Format::safetensors})
    EXPECT_EQ(kit::io::format_from_name(kit::io::name(format)), format);
  expect_error(ErrorCode::usage, {"'xml'", "csv"}, [] { kit::io::format_from_name("xml"); });
}
