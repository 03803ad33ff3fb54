#include "engines/workers.h"

#include <algorithm>
#include <latch>
#include <memory>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "child.h"
#include "expect_error.h"

namespace kit {
namespace {

constexpr std::size_t count = 100;

/// How often each number was given.
std::vector<int> calls(Workers& workers, std::size_t threads) {
  std::vector<int> seen(count);
  workers.run(threads, count, [&](std::size_t i) { ++seen[i]; });
  return seen;
}

const std::vector<int> once(count, 1);

TEST(Workers, EachNumberComesOnce) {
  Workers workers(4);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(calls(workers, 4), once);
  EXPECT_EQ(calls(workers, 1), once);
  EXPECT_EQ(calls(workers, 3), once);
}

TEST(Workers, SoManyThreadsWorkAtOnce) {
  Workers workers(3);
  for (int i = 0; i < 10; ++i) {
    std::latch all(3);  // which is passed only if three are there
    std::vector<std::thread::id> who(3);
    workers.run(3, 3, [&](std::size_t number) {
      who[number] = std::this_thread::get_id();
      all.arrive_and_wait();
    });
    EXPECT_EQ(std::set(who.begin(), who.end()).size(), 3U);
    EXPECT_NE(std::find(who.begin(), who.end(), std::this_thread::get_id()), who.end());
  }
}

TEST(Workers, NoMoreThreadsWorkThanAskedFor) {
  Workers workers(4);
  std::vector<std::thread::id> who(count);
  const auto note = [&](std::size_t i) {
    who[i] = std::this_thread::get_id();
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  };
  workers.run(4, count, note);
  for (const std::size_t threads : {1U, 2U}) {
    workers.run(threads, count, note);
    EXPECT_LE(std::set(who.begin(), who.end()).size(), threads);
  }
}

TEST(Workers, NothingIsFine) {
  Workers workers(2);
  workers.run(2, 0, [](std::size_t) { FAIL(); });
}

TEST(Workers, WhatIsThrownArrives) {
  Workers workers(2);
  for (int i = 0; i < 100; ++i) {
    test::expect_error(ErrorCode::input, "the number 7", [&] {
      workers.run(2, count, [](std::size_t number) {
        if (number == 7) throw Error(ErrorCode::input, "the number 7");
      });
    });
    ASSERT_EQ(calls(workers, 2), once);
  }
}

TEST(Workers, CallsOfManyThreadsDoNotMix) {
  Workers workers(3);
  std::vector<std::thread> callers;
  callers.reserve(4);
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&] {
      for (int i = 0; i < 200; ++i) EXPECT_EQ(calls(workers, 3), once);
    });
  for (std::thread& one : callers) one.join();
}

TEST(Workers, ACallWithinACallDoesWithout) {
  Workers workers(2);
  std::vector<std::vector<int>> seen(4);
  workers.run(2, 4, [&](std::size_t i) { seen[i] = calls(workers, 2); });
  EXPECT_EQ(seen, std::vector(4, once));
}

// ThreadSanitizer cannot follow a child that starts threads.
#if !defined(__SANITIZE_THREAD__)
TEST(Workers, AChildOfAForkHasItsOwn) {
  auto workers = std::make_unique<Workers>(2);
  std::latch both(2);  // the thread has started, or a sanitizer would hold locks that the child inherits
  workers->run(2, 2, [&](std::size_t) { both.arrive_and_wait(); });
  EXPECT_EQ(test::in_child([&] { return std::string(calls(*workers, 2) == once ? "right" : "wrong"); }),
            "right");
  EXPECT_EQ(test::in_child([&] {
              workers.reset();
              return std::string("ended");
            }),
            "ended");
  EXPECT_EQ(calls(*workers, 2), once);
}
#endif

}  // namespace
}  // namespace kit
