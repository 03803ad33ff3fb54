#include "bench/throughput.h"

#include <atomic>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>

namespace kit::bench {
namespace {

TEST(Throughput, EveryThreadCalls) {
  for (const int threads : {1, 2, 8}) {
    std::mutex mutex;
    std::set<std::thread::id> ids;
    const Throughput result = measure_throughput(
        [&] {
          const std::lock_guard lock(mutex);
          ids.insert(std::this_thread::get_id());
          std::this_thread::yield();
        },
        threads, {.seconds = 0, .block_seconds = 1e-6});
    EXPECT_EQ(ids.size(), static_cast<std::size_t>(threads));
    EXPECT_FALSE(ids.contains(std::this_thread::get_id()));
    EXPECT_GT(result.rate.median, 0);
    EXPECT_LE(result.rate.low, result.rate.median);
    EXPECT_GE(result.rate.high, result.rate.median);
    EXPECT_FALSE(result.stable) << "one block is not enough";
  }
}

TEST(Throughput, AnErrorOfOneThreadEndsAll) {
  for (const int healthy : {0, 1, 50}) {
    std::atomic<int> calls = 0;
    const auto call = [&] {
      if (++calls > healthy) throw std::runtime_error("no");
    };
    EXPECT_THROW(measure_throughput(call, 3, {.seconds = 1000}), std::runtime_error) << healthy;
  }
}

}  // namespace
}  // namespace kit::bench
