#pragma once

#include <vector>

namespace kit::bench {

/// The median of values, and where that of all further ones lies with at least 95 % confidence. For fewer
/// than six values no such bounds exist: they are then the smallest and the largest.
struct Interval {
  double median = 0;
  double low = 0;
  double high = 0;

  /// Whether both bounds are within that part of the median.
  bool within(double part) const noexcept;
};

/// The value below which that part of the values lies, between two of them by their distance. `sorted` has at
/// least one value, in ascending order; `part` is from 0 to 1.
double quantile(const std::vector<double>& sorted, double part);

/// The interval of at least one value, in any order.
Interval interval_of(std::vector<double> values);

}  // namespace kit::bench
