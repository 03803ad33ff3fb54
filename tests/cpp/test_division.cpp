#include "engines/division.h"

#include <gtest/gtest.h>

namespace kit {
namespace {

using Starts = std::vector<std::int64_t>;

TEST(Division, FewRowsAreOnePart) {
  const Division division = divide(3, 100, 5, 8);
  EXPECT_EQ(division.threads, 1U);
  EXPECT_EQ(division.starts, (Starts{0, 3}));
}

TEST(Division, AThreadHasEnoughRows) {
  EXPECT_EQ(divide(199, 100, 1, 8).threads, 1U);
  EXPECT_EQ(divide(200, 100, 1, 8).threads, 2U);
  EXPECT_EQ(divide(100000, 100, 1, 8).threads, 8U);
}

TEST(Division, TheRestIsAPartIfItHasRowsEnough) {
  EXPECT_EQ(divide(11, 8, 3, 2).starts, (Starts{0, 3, 6, 11}));
  EXPECT_EQ(divide(11, 16, 2, 2).starts, (Starts{0, 4, 8, 11}));
  EXPECT_EQ(divide(9, 8, 3, 2).starts, (Starts{0, 3, 6, 9}));
  EXPECT_EQ(divide(3, 1, 1, 2).starts, (Starts{0, 1, 2, 3}));
}

TEST(Division, LargePartsBeginAtWholeVectors) {
  EXPECT_EQ(divide(520, 800, 1, 2).starts, (Starts{0, 256, 512, 520}));
}

TEST(Division, ThePartsDoNotDependOnTheThreads) {
  for (const std::int64_t rows : {1, 7, 64, 1000, 65536})
    EXPECT_EQ(divide(rows, 90, 1, 2).starts, divide(rows, 90, 1, 32).starts) << rows;
}

TEST(Division, EveryPartHasTheLeastNumberOfRows) {
  for (std::int64_t rows = 7; rows < 400; ++rows)
    for (const std::int64_t per_thread : {1, 50, 700}) {
      const Starts starts = divide(rows, per_thread, 7, 4).starts;
      EXPECT_EQ(starts.front(), 0);
      EXPECT_EQ(starts.back(), rows);
      for (std::size_t i = 1; i < starts.size(); ++i) EXPECT_GE(starts[i] - starts[i - 1], 7) << rows;
    }
}

}  // namespace
}  // namespace kit
