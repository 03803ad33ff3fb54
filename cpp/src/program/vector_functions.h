#pragma once

#include <bit>
#include <cstdint>

#include "vectors.h"

/// Functions of vectors. exp and erf of float are in line: a call would cost as much as they do, and it would
/// put away all that is in registers.
namespace kit::program {

// The vector half of glibc's libm, of at most 4 ULP.
#if defined(__AVX512F__)
extern "C" DoubleVector _ZGVeN8v_exp(DoubleVector);
extern "C" FloatVector _ZGVeN16v_logf(FloatVector);
extern "C" DoubleVector _ZGVeN8v_log(DoubleVector);
inline DoubleVector exp(DoubleVector x) { return _ZGVeN8v_exp(x); }
inline FloatVector log(FloatVector x) { return _ZGVeN16v_logf(x); }
inline DoubleVector log(DoubleVector x) { return _ZGVeN8v_log(x); }
#elif defined(__AVX2__)
extern "C" DoubleVector _ZGVdN4v_exp(DoubleVector);
extern "C" FloatVector _ZGVdN8v_logf(FloatVector);
extern "C" DoubleVector _ZGVdN4v_log(DoubleVector);
inline DoubleVector exp(DoubleVector x) { return _ZGVdN4v_exp(x); }
inline FloatVector log(FloatVector x) { return _ZGVdN8v_logf(x); }
inline DoubleVector log(DoubleVector x) { return _ZGVdN4v_log(x); }
#else
extern "C" DoubleVector _ZGVbN2v_exp(DoubleVector);
extern "C" FloatVector _ZGVbN4v_logf(FloatVector);
extern "C" DoubleVector _ZGVbN2v_log(DoubleVector);
inline DoubleVector exp(DoubleVector x) { return _ZGVbN2v_exp(x); }
inline FloatVector log(FloatVector x) { return _ZGVbN4v_logf(x); }
inline DoubleVector log(DoubleVector x) { return _ZGVbN2v_log(x); }
#endif

/// a + b·x + c·x² + …
template <typename... Further>
FloatVector polynomial(FloatVector x, float first, Further... further) noexcept {
  if constexpr (sizeof...(further) == 0)
    return all(first);
  else
    return multiply_add(polynomial(x, further...), x, all(first));
}

/// Of at most 1 ULP (1.2 without FMA): as 2ⁿ · exp(r) with |r| at most ln 2 / 2. What is too large becomes
/// infinity, and small numbers lose their digits one by one, as they should.
inline FloatVector exp(FloatVector x) noexcept {
  using Integers = std::int32_t __attribute__((vector_size(vector_bytes)));
  // Added to a number it leaves the nearest integer in the last digits.
  constexpr float integers = 0x1.8p23F;
  // ln 2, of which the first part has so few digits that n times it is exact: the reduction of Cody and
  // Waite, with the parts that Cephes has.
  constexpr float ln2_high = 0.693359375F, ln2_low = -0.000212194442F;
  const FloatVector limited = at_least(at_most(x, 100.0F), -110.0F);
  const FloatVector shifted = multiply_add(limited, all(1.44269504F), all(integers));
  const FloatVector n = shifted - integers;
  const FloatVector r = multiply_add(n, all(-ln2_low), multiply_add(n, all(-ln2_high), limited));
  const FloatVector power =
      polynomial(r, 1.0F, 1.0F, 0.49999994F, 0.166665152F, 0.041668456F, 0.00836941879F, 0.00138130854F);
  // 2ⁿ by its exponent, in two parts: it may be beyond what float has.
  const Integers whole = std::bit_cast<Integers>(shifted) - std::bit_cast<std::int32_t>(integers);
  const Integers half = whole >> 1;
  const auto scale = [](Integers exponent) { return std::bit_cast<FloatVector>((exponent + 127) << 23); };
  return power * scale(half) * scale(whole - half);
}

/// Of at most 7 ULP: x · P(x²) / Q(x²), of which the coefficients minimise the largest relative error up to
/// 4. From there on it is 1 within float.
inline FloatVector erf(FloatVector x) noexcept {
  const FloatVector square = at_most(x * x, 16.0F);
  const FloatVector above = polynomial(square, 1.12837911F, 0.191300496F, 0.0528353825F, 0.00379747571F,
                                       0.000284391484F, 2.02548449e-06F);
  const FloatVector below =
      polynomial(square, 1.0F, 0.502868116F, 0.114450604F, 0.0150311813F, 0.0011682011F, 3.78158984e-05F);
  return at_least(at_most(x * above / below, 1.0F), -1.0F);
}

}  // namespace kit::program
