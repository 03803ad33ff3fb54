#pragma once

/// What the kernels that Inductor generates are compiled with: kit's functions in place of those of torch's
/// vector headers, which call one for each exponential.

#include <sleef.h>

#include "vector_functions.h"

#if defined(__AVX512F__)
#define Sleef_expf16_u10 kit::program::exp
#else
#define Sleef_expf8_u10 kit::program::exp
#endif

#include <ATen/cpu/vec/vec.h>

namespace kit::program {

inline at::vec::Vectorized<float> erf(const at::vec::Vectorized<float>& x) {
#if defined(__AVX512F__)
  return erf(static_cast<FloatVector>(static_cast<__m512>(x)));
#else
  return erf(static_cast<FloatVector>(static_cast<__m256>(x)));
#endif
}

inline at::vec::Vectorized<double> erf(const at::vec::Vectorized<double>& x) { return x.erf(); }

template <typename T, int N>
at::vec::VectorizedN<T, N> erf(at::vec::VectorizedN<T, N> x) {
  for (int i = 0; i < N; ++i) x[i] = erf(x[i]);
  return x;
}

}  // namespace kit::program
