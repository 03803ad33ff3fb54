#include "io/lines.h"

#include "io_helpers.h"
#include "temp_dir.h"

namespace {

std::vector<std::string> lines_of(const std::string& content) {
  const TempDir dir;
  kit::io::Lines lines(kit::io::InputFile(dir.write("text", content)));
  std::vector<std::string> result;
  for (std::string_view line; lines.next(line);) result.emplace_back(line);
  EXPECT_EQ(lines.number(), static_cast<std::int64_t>(result.size()));
  return result;
}

using List = std::vector<std::string>;

}  // namespace

TEST(Lines, EndInAnyWay) {
  EXPECT_EQ(lines_of(""), List{});
  EXPECT_EQ(lines_of("a"), List{"a"});
  EXPECT_EQ(lines_of("a\n"), List{"a"});
  EXPECT_EQ(lines_of("a\r\nb\r\n"), (List{"a", "b"}));
  EXPECT_EQ(lines_of("\n\na"), (List{"", "", "a"}));
}

TEST(Lines, LeaveOutAByteOrderMarkAtTheStartOnly) {
  EXPECT_EQ(lines_of("\xEF\xBB\xBFx\n\xEF\xBB\xBFy"), (List{"x", "\xEF\xBB\xBFy"}));
  EXPECT_EQ(lines_of("\xEF\xBB\xBF"), List{""});
}

TEST(Lines, MayBeLongerThanTheBuffer) {
  std::string content;
  List expected;
  for (std::size_t size : {1u, 100'000u, 300'000u, 262'144u, 262'143u, 1'000'000u, 3u}) {
    expected.emplace_back(size, static_cast<char>('a' + size % 7));
    content += expected.back() + "\n";
  }
  EXPECT_EQ(lines_of(content), expected);
}

TEST(Lines, TellWhereTheyAre) {
  const TempDir dir;
  const std::string path = dir.write("text", "a\nb\n");
  kit::io::Lines lines{kit::io::InputFile(path)};
  std::string_view line;
  lines.next(line);
  lines.next(line);
  EXPECT_EQ(lines.where(), path + ", line 2");
}
