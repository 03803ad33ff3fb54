#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "vector_functions.h"

namespace kit::program {

/// The exponentials of the rows of a softmax, of which there are at most Rows.
template <typename T, std::int64_t Rows>
struct Exponentials {
  static_assert(Rows % lanes<T> == 0);

  T factors[Rows] = {};   ///< by which the exponentials are multiplied
  T log_sums[Rows] = {};  ///< the logarithm of their sum as they would be unshifted

  /// Makes the numbers of a row their exponentials, divided by that of the largest, and those after them
  /// zeros up to whole vectors, for which there must be room. As in ATen's attention, a row in which all is
  /// -infinity or NaN becomes zeros, and of one with other numbers NaN makes the sum NaN.
  void take(std::int64_t index, T* row, std::int64_t size) noexcept {
    constexpr std::int64_t step = lanes<T>;
    Vector<T> most = all(nothing);
    std::int64_t whole = 0;
    for (; whole + step <= size; whole += step) most = larger(load(row + whole), most);
    if (whole < size) {
      const Vector<T> last = first_of(load(row + whole), size - whole);
      most = larger(last, most);
      store(row + whole, last);
      whole += step;
    }
    const T largest = across(most, [](auto a, auto b) { return larger(a, b); });
    log_sums[index] = largest;
    if (largest == nothing) {
      std::fill(row, row + whole, T(0));
      factors[index] = T(0);
      return;
    }
    Vector<T> sums{};
    for (std::int64_t j = 0; j < whole; j += step) {
      const Vector<T> values = exp(load(row + j) - largest);
      sums += values;
      store(row + j, values);
    }
    factors[index] = across(sums, [](auto a, auto b) { return a + b; });
  }

  /// What `take` has left for all rows at once. To be called when it has taken the first `count`.
  void finish(std::int64_t count) noexcept {
    for (std::int64_t i = 0; i < count; i += lanes<T>) {
      const Vector<T> sums = load(factors + i);
      store(log_sums + i, load(log_sums + i) + log(sums));
      store(factors + i, sums == T(0) ? all(T(1)) : T(1) / sums);
    }
  }

 private:
  static constexpr T nothing = -std::numeric_limits<T>::infinity();

  /// The first numbers of a vector, and then -infinity. (A vector that is read after a part of it was written
  /// would be waited for.)
  static Vector<T> first_of(Vector<T> values, std::int64_t count) noexcept {
    const auto places = [&]<int... Places>(std::integer_sequence<int, Places...>) {
      return Vector<T>{T(Places)...};
    };
    const Vector<T> place = places(std::make_integer_sequence<int, static_cast<int>(lanes<T>)>());
    return place < static_cast<T>(count) ? values : all(nothing);
  }

  /// Of each two numbers the larger one; the second where one is NaN.
  static Vector<T> larger(Vector<T> a, Vector<T> b) noexcept { return a > b ? a : b; }

  /// All numbers of a vector combined, half of them with the other half until one is left.
  template <std::int64_t Half = lanes<T> / 2, typename Combine>
  static T across(Vector<T> values, Combine&& combine) noexcept {
    if constexpr (Half == 0) {
      return values[0];
    } else {
      const auto moved = [&]<int... Places>(std::integer_sequence<int, Places...>) {
        return __builtin_shufflevector(values, values, (Places ^ Half)...);
      };
      values = combine(values, moved(std::make_integer_sequence<int, static_cast<int>(lanes<T>)>()));
      return across<Half / 2>(values, combine);
    }
  }
};

}  // namespace kit::program
