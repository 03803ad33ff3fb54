#include "io/input_file.h"

#include <unistd.h>

#include "io_helpers.h"
#include "temp_dir.h"

using kit::ErrorCode;
using kit::io::InputFile;

TEST(Input, WhatCannotBeReadIsAUsageError) {
  const TempDir dir;
  expect_error(ErrorCode::usage, {dir.path("none.csv"), "No such file"},
               [&] { InputFile{dir.path("none.csv")}; });
  expect_error(ErrorCode::usage, {dir.str(), "is a directory"}, [&] { InputFile{dir.str()}; });
}

TEST(Input, ReadsInOrderAndAnywhere) {
  const TempDir dir;
  InputFile file(dir.write("data", "0123456789"));
  EXPECT_EQ(file.remaining(), 10u);
  char text[10];
  EXPECT_EQ(file.read(text, 4), 4u);
  EXPECT_EQ(std::string(text, 4), "0123");
  EXPECT_EQ(file.remaining(), 6u);
  file.read_at(2, text, 3);
  EXPECT_EQ(std::string(text, 3), "678");
  expect_error(ErrorCode::input, {"became shorter"}, [&] { file.read_at(4, text, 5); });
  EXPECT_EQ(file.read(text, 10), 6u);
  EXPECT_EQ(file.read(text, 10), 0u);
}

TEST(Input, APipeCanBeMadeSeekable) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ASSERT_EQ(::write(ends[1], "0123456789", 10), 10);
  ::close(ends[1]);
  InputFile file("/proc/self/fd/" + std::to_string(ends[0]));
  ::close(ends[0]);
  EXPECT_FALSE(file.remaining());
  file.make_seekable();
  EXPECT_EQ(file.remaining(), 10u);
  char text[3];
  file.read_at(7, text, 3);
  EXPECT_EQ(std::string(text, 3), "789");
}
