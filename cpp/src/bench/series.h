#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "bench/interval.h"

namespace kit::bench {

/// Seconds since some moment. Tests have one of their own.
using Clock = std::function<double()>;

/// The steady clock of this host, which all its processes share.
double steady_seconds();

/// When to stop measuring.
struct Limits {
  double seconds = 1;                   ///< the most that one series takes
  double within = 0.02;                 ///< how stable the median must be
  std::size_t least_blocks = 10;        ///< before the median can be called stable
  double block_seconds = 0.02;          ///< of calls, one at least, whose median is one value
  std::size_t most_values = 4'000'000;  ///< that are kept
};

/// Values that come block by block, until their median is stable.
///
/// What disturbs one call often disturbs those after it, so that a median of all calls looks better founded
/// than it is. Blocks are long enough to be nearly independent.
class Blocks {
 public:
  explicit Blocks(const Limits& limits) : limits_(limits) {}

  void add(double value) { values_.push_back(value); }
  std::size_t size() const noexcept { return values_.size(); }

  /// Of at least one block.
  Interval interval() const { return interval_of(values_); }
  bool stable() const;

 private:
  Limits limits_;
  std::vector<double> values_;
};

/// How long calls took, in seconds.
struct Latency {
  Interval median;  ///< of all calls, with the bounds that the blocks give
  double p90 = 0;
  double p99 = 0;
  double min = 0;
  double max = 0;
  std::size_t calls = 0;
  bool stable = false;
  double seconds = 0;  ///< that the measurement took
};

/// Calls until the median is stable, the time is up or enough values are there; once at least. Nothing but
/// the call lies between the two readings of the clock that give a value.
Latency measure_latency(const std::function<void()>& call, const Limits& limits,
                        const Clock& clock = steady_seconds);

/// What two readings of the clock in a row are apart, in seconds: part of every value. The median of many.
double clock_seconds(const Clock& clock = steady_seconds);

}  // namespace kit::bench
