#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <kit/tensor.h>

namespace kit {

/// Two numbers agree if |actual - expected| <= atol + rtol * |expected|.
struct Tolerance {
  double rtol = 0;
  double atol = 0;
};

using Tolerances = std::map<DType, Tolerance>;

/// The tolerances of torch.testing.assert_close, by dtype; zero for integers and bool.
/// Source: https://docs.pytorch.org/docs/stable/testing.html
const Tolerances& default_tolerances();

/// How far two tensors are apart. A value, not an exception.
struct Difference {
  bool within = true;     ///< dtype and shape are equal and every element agrees within the tolerance
  bool bit_equal = true;  ///< every element has the same bits, or both are NaN
  double max_abs = 0;     ///< largest |actual - expected| over the elements where both are finite
  double max_rel = 0;     ///< largest |actual - expected| / |expected|, where expected is not 0
  /// Largest number of steps from one floating-point number of the dtype to the next that lie between the
  /// two, in each part of a complex number; 0 for integers.
  double max_ulp = 0;
  std::int64_t mismatches = 0;  ///< elements beyond the tolerance
  std::int64_t first = -1;      ///< row-major index of the first of these, or -1
  std::string reason;           ///< one clause, "" where `within`
};

/// Compares element by element. NaN agrees with NaN, an infinity only with itself. Both tensors must be
/// on the CPU; throws an unavailable error otherwise.
Difference compare(const Tensor& actual, const Tensor& expected, const Tolerance& tolerance);

/// The same with the tolerance of the dtype of `expected`; the default where `tolerances` has none.
Difference compare(const Tensor& actual, const Tensor& expected, const Tolerances& tolerances);

}  // namespace kit
