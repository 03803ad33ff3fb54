#include "bench/series.h"

#include <gtest/gtest.h>

namespace kit::bench {
namespace {

/// Time that passes only where the test says so.
class FakeTime {
 public:
  Clock clock() {
    return [this] {
      ++readings;
      return now;
    };
  }

  double now = 1000;
  int readings = 0;
};

const Limits limits{.seconds = 1, .within = 0.02, .least_blocks = 10, .block_seconds = 0.01};

TEST(Series, EqualCallsAreStableAfterTheLeastBlocks) {
  FakeTime time;
  int calls = 0;
  const Latency latency = measure_latency(
      [&] {
        ++calls;
        time.now += 1.0 / 1024;  // exact, so that a block is eleven calls
      },
      limits, time.clock());
  EXPECT_TRUE(latency.stable);
  EXPECT_EQ(calls, 110);
  EXPECT_EQ(latency.calls, 110U);
  EXPECT_DOUBLE_EQ(latency.seconds, 110.0 / 1024);
  for (const double value : {latency.median.median, latency.median.low, latency.median.high, latency.p90,
                             latency.p99, latency.min, latency.max})
    EXPECT_DOUBLE_EQ(value, 1.0 / 1024);
}

TEST(Series, RareOutliersAreSeenAndDoNotDisturbTheMedian) {
  FakeTime time;
  int calls = 0;
  const Latency latency =
      measure_latency([&] { time.now += ++calls % 20 == 0 ? 0.004 : 0.0001; }, limits, time.clock());
  EXPECT_TRUE(latency.stable);
  EXPECT_NEAR(latency.median.median, 0.0001, 1e-9);
  EXPECT_NEAR(latency.p90, 0.0001, 1e-9);
  EXPECT_NEAR(latency.p99, 0.004, 1e-9);
  EXPECT_NEAR(latency.max, 0.004, 1e-9);
}

/// A machine that is slow for a while again and again, as one that others use.
TEST(Series, WhatComesInWavesIsNotStable) {
  FakeTime time;
  const double begin = time.now;
  const Latency latency = measure_latency(
      [&] {
        const bool slow = static_cast<int>((time.now - begin) / 0.03) % 2 == 1;
        time.now += slow ? 0.0002 : 0.0001;
      },
      limits, time.clock());
  EXPECT_FALSE(latency.stable);
  EXPECT_GE(latency.seconds, 1);
  EXPECT_LT(latency.seconds, 1.02);
  EXPECT_LT(latency.median.low, latency.median.high * 0.9);
}

TEST(Series, ADriftIsNotStable) {
  FakeTime time;
  double duration = 0.0001;
  const Latency latency = measure_latency(
      [&] {
        duration *= 1.001;
        time.now += duration;
      },
      limits, time.clock());
  EXPECT_FALSE(latency.stable);
  EXPECT_GE(latency.seconds, 1);
}

TEST(Series, ASlowCallIsABlockAndOneIsEnough) {
  FakeTime time;
  const Latency latency = measure_latency([&] { time.now += 3; }, limits, time.clock());
  EXPECT_EQ(latency.calls, 1U);
  EXPECT_FALSE(latency.stable);
  EXPECT_DOUBLE_EQ(latency.median.median, 3);
  EXPECT_DOUBLE_EQ(latency.seconds, 3);
}

TEST(Series, EndsWhereNoMoreValuesAreKept) {
  FakeTime time;
  Limits few = limits;
  few.most_values = 25;
  const Latency latency = measure_latency([&] { time.now += 0.001; }, few, time.clock());
  EXPECT_EQ(latency.calls, 25U);
  EXPECT_FALSE(latency.stable);
}

/// What the instrument does itself between two calls is part of none.
TEST(Series, ReadsTheClockTwiceForEachCall) {
  FakeTime time;
  const Latency latency = measure_latency([&] { time.now += 0.001; }, limits, time.clock());
  EXPECT_EQ(time.readings, 1 + 2 * static_cast<int>(latency.calls));
}

TEST(Series, ErrorsOfTheCallComeThrough) {
  FakeTime time;
  EXPECT_THROW(measure_latency([] { throw std::runtime_error("no"); }, limits, time.clock()),
               std::runtime_error);
}

TEST(Series, KnowsWhatTheClockTakes) {
  double now = 0;
  EXPECT_NEAR(clock_seconds([&] { return now += 0.25; }), 0.25, 1e-9);
}

TEST(Series, BlocksAreStableOnlyWithinTheLimit) {
  Blocks blocks(limits);
  for (int i = 0; i < 9; ++i) {
    blocks.add(100);
    EXPECT_FALSE(blocks.stable());
  }
  blocks.add(100);
  EXPECT_TRUE(blocks.stable());
  for (int i = 0; i < 6; ++i) blocks.add(103);
  EXPECT_FALSE(blocks.stable());
}

}  // namespace
}  // namespace kit::bench
