#pragma once

#include <cstddef>
#include <functional>

#include "bench/series.h"

namespace kit::bench {

/// Calls in a second of several threads together.
struct Throughput {
  Interval rate;
  bool stable = false;
  double seconds = 0;  ///< that the measurement took
};

/// Calls from that many threads at once until the rate is stable or the time is up. Each thread first calls
/// once without being measured, and none stops before all have enough. Throws what a call throws.
Throughput measure_throughput(const std::function<void()>& call, int threads, const Limits& limits);

}  // namespace kit::bench
