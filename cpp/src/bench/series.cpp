#include "bench/series.h"

#include <algorithm>
#include <chrono>

namespace kit::bench {

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

bool Blocks::stable() const {
  return values_.size() >= limits_.least_blocks && interval().within(limits_.within);
}

Latency measure_latency(const std::function<void()>& call, const Limits& limits, const Clock& clock) {
  Blocks blocks(limits);
  std::vector<double> values;
  std::vector<double> block;
  const double start = clock();
  double now = start;
  do {
    block.clear();
    const double block_start = now;
    do {
      const double before = clock();
      call();
      now = clock();
      block.push_back(now - before);
    } while (now - block_start < limits.block_seconds && values.size() + block.size() < limits.most_values);
    values.insert(values.end(), block.begin(), block.end());
    std::sort(block.begin(), block.end());
    blocks.add(quantile(block, 0.5));
  } while (!blocks.stable() && now - start < limits.seconds && values.size() < limits.most_values);

  std::sort(values.begin(), values.end());
  Latency latency;
  const double median = quantile(values, 0.5);
  const Interval bounds = blocks.interval();
  latency.median = {median, std::min(median, bounds.low), std::max(median, bounds.high)};
  latency.p90 = quantile(values, 0.9);
  latency.p99 = quantile(values, 0.99);
  latency.min = values.front();
  latency.max = values.back();
  latency.calls = values.size();
  latency.stable = blocks.stable();
  latency.seconds = now - start;
  return latency;
}

double clock_seconds(const Clock& clock) {
  std::vector<double> values(1001);
  for (double& value : values) {
    const double before = clock();
    value = clock() - before;
  }
  std::sort(values.begin(), values.end());
  return quantile(values, 0.5);
}

}  // namespace kit::bench
