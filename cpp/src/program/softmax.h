#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "vectors.h"

namespace kit::program {

/// What a softmax divides by, and the logarithm of the sum of the exponentials as they would be unshifted.
template <typename T>
struct Exponentials {
  T sum, log_sum;

  /// As in ATen's attention, a row in which all is -infinity becomes zeros.
  T factor() const noexcept { return sum == T(0) ? T(1) : T(1) / sum; }
};

/// Makes the numbers of a row their exponentials, divided by that of the largest. NaN makes the sum NaN.
template <typename T>
Exponentials<T> exponentials(T* row, std::int64_t size) noexcept {
  constexpr std::int64_t step = lanes<T>;
  const std::int64_t whole = size - size % step;
  T largest = -std::numeric_limits<T>::infinity();
  if (whole != 0) {
    Vector<T> most = load(row);
    for (std::int64_t j = step; j < whole; j += step) {
      const Vector<T> values = load(row + j);
      most = most > values ? most : values;
    }
    for (std::int64_t j = 0; j < step; ++j) largest = std::max(largest, T(most[j]));
  }
  for (std::int64_t j = whole; j < size; ++j) largest = std::max(largest, row[j]);
  const T shift = largest == -std::numeric_limits<T>::infinity() ? T(0) : largest;

  Vector<T> sums{};
  for (std::int64_t j = 0; j < whole; j += step) {
    const Vector<T> values = exp(load(row + j) - shift);
    sums += values;
    store(row + j, values);
  }
  T sum = 0;
  for (std::int64_t j = 0; j < step; ++j) sum += sums[j];
  for (std::int64_t j = whole; j < size; ++j) {
    row[j] = std::exp(row[j] - shift);
    sum += row[j];
  }
  return {sum, shift + std::log(sum)};
}

}  // namespace kit::program
