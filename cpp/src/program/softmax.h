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

  T factor() const noexcept { return sum == T(0) ? T(1) : T(1) / sum; }
};

/// Makes the numbers of a row their exponentials, divided by that of the largest. As in ATen's attention, a
/// row in which all is -infinity or NaN becomes zeros, and of one with other numbers NaN makes the sum NaN.
template <typename T>
Exponentials<T> exponentials(T* row, std::int64_t size) noexcept {
  constexpr std::int64_t step = lanes<T>;
  const std::int64_t whole = size - size % step;
  constexpr T nothing = -std::numeric_limits<T>::infinity();
  Vector<T> most = all(nothing);
  for (std::int64_t j = 0; j < whole; j += step) {
    const Vector<T> values = load(row + j);
    most = values > most ? values : most;
  }
  T largest = nothing;
  for (std::int64_t j = 0; j < step; ++j) largest = std::max(largest, T(most[j]));
  for (std::int64_t j = whole; j < size; ++j) largest = std::max(largest, row[j]);
  if (largest == nothing) {
    std::fill(row, row + size, T(0));
    return {T(0), nothing};
  }

  Vector<T> sums{};
  for (std::int64_t j = 0; j < whole; j += step) {
    const Vector<T> values = exp(load(row + j) - largest);
    sums += values;
    store(row + j, values);
  }
  T sum = 0;
  for (std::int64_t j = 0; j < step; ++j) sum += sums[j];
  for (std::int64_t j = whole; j < size; ++j) {
    row[j] = std::exp(row[j] - largest);
    sum += row[j];
  }
  return {sum, largest + std::log(sum)};
}

}  // namespace kit::program
