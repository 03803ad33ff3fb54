#include "bench/groups.h"

#include <chrono>
#include <numeric>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>

#include "bench/series.h"

namespace kit::bench {
namespace {

TEST(Groups, ThereAreAsManyCallsAsWasSaid) {
  int calls = 0;
  EXPECT_EQ(time_groups([&] { ++calls; }, 4, 25).size(), 4U);
  EXPECT_EQ(calls, 100);
}

TEST(Groups, AValueIsTheMeanOfItsGroup) {
  int calls = 0;
  const double start = steady_seconds();
  // The calls of the second group alone take long.
  const std::vector<double> means = time_groups(
      [&] {
        if (++calls > 3) std::this_thread::sleep_for(std::chrono::milliseconds(4));
      },
      2, 3);
  const double whole = steady_seconds() - start;
  EXPECT_LT(means[0], 0.004);
  EXPECT_GE(means[1], 0.004);
  EXPECT_LE(3 * std::accumulate(means.begin(), means.end(), 0.0), whole);
}

TEST(Groups, WhatACallThrowsComesOut) {
  EXPECT_THROW(time_groups([] { throw std::runtime_error("no"); }, 1, 1), std::runtime_error);
}

}  // namespace
}  // namespace kit::bench
