#include "bench/interval.h"

#include <cmath>

#include <gtest/gtest.h>

namespace kit::bench {
namespace {

std::vector<double> up_to(int n) {
  std::vector<double> values;
  for (int i = n; i > 0; --i) values.push_back(i);
  return values;
}

TEST(Interval, QuantilesAreBetweenTheValues) {
  const std::vector<double> values{1, 2, 3, 4, 5};
  EXPECT_EQ(quantile(values, 0), 1);
  EXPECT_EQ(quantile(values, 0.5), 3);
  EXPECT_EQ(quantile(values, 1), 5);
  EXPECT_DOUBLE_EQ(quantile(values, 0.9), 4.6);
  EXPECT_EQ(quantile({1, 2}, 0.5), 1.5);
  EXPECT_EQ(quantile({7}, 0.99), 7);
}

TEST(Interval, FewValuesAreBoundedByTheSmallestAndTheLargest) {
  for (const int n : {1, 2, 5, 6, 8}) {
    const Interval interval = interval_of(up_to(n));
    EXPECT_EQ(interval.low, 1) << n;
    EXPECT_EQ(interval.high, n) << n;
    EXPECT_EQ(interval.median, (n + 1) / 2.0) << n;
  }
}

/// The ranks of a table of confidence bounds for a median (95 %).
TEST(Interval, BoundsAreThoseOfTheBinomialDistribution) {
  const int table[][2]{{9, 2}, {10, 2}, {12, 3}, {15, 4}, {20, 6}, {30, 10}, {50, 18}, {100, 40}};
  for (const auto& [n, rank] : table) {
    const Interval interval = interval_of(up_to(n));
    EXPECT_EQ(interval.low, rank) << n;
    EXPECT_EQ(interval.high, n + 1 - rank) << n;
  }
}

/// The two ways to compute the bounds meet without a step.
TEST(Interval, BoundsGrowSteadily) {
  double before = 1;
  for (int n = 1; n < 300; ++n) {
    const double low = interval_of(up_to(n)).low;
    EXPECT_GE(low, before) << n;
    EXPECT_LE(low, before + 1) << n;
    before = low;
  }
}

TEST(Interval, WithinLooksAtBothBounds) {
  EXPECT_TRUE((Interval{100, 98, 102}.within(0.02)));
  EXPECT_FALSE((Interval{100, 97.9, 100}.within(0.02)));
  EXPECT_FALSE((Interval{100, 100, 102.1}.within(0.02)));
}

}  // namespace
}  // namespace kit::bench
