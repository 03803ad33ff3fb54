#include "bench/interval.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace kit::bench {
namespace {

/// How many of n values, at least one, are left out below the bound: the most for which the median of what
/// they were drawn from is outside of the bounds in at most 5 % of all cases. It is a sum of binomial
/// coefficients; from 60 values on the normal distribution is as good.
std::size_t outside(std::size_t n) {
  const auto count = static_cast<double>(n);
  if (n >= 60) return static_cast<std::size_t>((count - 1.96 * std::sqrt(count)) / 2 - 1);
  double probability = std::pow(0.5, count);
  double sum = probability;
  std::size_t left_out = 0;
  while (true) {
    probability *= (count - static_cast<double>(left_out)) / (static_cast<double>(left_out) + 1);
    sum += probability;
    if (2 * sum > 0.05) return left_out;
    ++left_out;
  }
}

}  // namespace

bool Interval::within(double part) const noexcept {
  return low >= median * (1 - part) && high <= median * (1 + part);
}

double quantile(const std::vector<double>& sorted, double part) {
  const double position = part * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  if (below + 1 >= sorted.size()) return sorted.back();
  const double between = position - static_cast<double>(below);
  return sorted[below] + between * (sorted[below + 1] - sorted[below]);
}

Interval interval_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t left_out = outside(values.size());
  return {quantile(values, 0.5), values[left_out], values[values.size() - 1 - left_out]};
}

}  // namespace kit::bench
