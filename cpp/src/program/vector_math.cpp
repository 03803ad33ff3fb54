// torch's vector headers, which the generated code computes with, call SLEEF for what the processor has no
// instruction for. SLEEF is in libtorch; here these names lead to the vector half of glibc's libm, libmvec
// (at most 4 ULP: https://sourceware.org/glibc/wiki/libmvec), and to libm element by element for what it
// lacks.

#include <cmath>

#include <immintrin.h>

namespace {

template <typename T, typename Vector, typename Function>
inline Vector each(Vector x, Function function) {
  constexpr int count = sizeof(Vector) / sizeof(T);
  alignas(64) T values[count];
  __builtin_memcpy(values, &x, sizeof x);
  for (T& value : values) value = function(value);
  __builtin_memcpy(&x, values, sizeof x);
  return x;
}

template <typename T, typename Vector, typename Function>
inline Vector each(Vector x, Vector y, Function function) {
  constexpr int count = sizeof(Vector) / sizeof(T);
  alignas(64) T left[count], right[count];
  __builtin_memcpy(left, &x, sizeof x);
  __builtin_memcpy(right, &y, sizeof y);
  for (int i = 0; i < count; ++i) left[i] = function(left[i], right[i]);
  __builtin_memcpy(&x, left, sizeof x);
  return x;
}

}  // namespace

#define KIT_ONE(vector, sleef, mvec)       \
  extern "C" vector _ZGV##mvec(vector);    \
  extern "C" vector Sleef_##sleef(vector); \
  extern "C" vector Sleef_##sleef(vector x) { return _ZGV##mvec(x); }
#define KIT_TWO(vector, sleef, mvec)               \
  extern "C" vector _ZGV##mvec(vector, vector);    \
  extern "C" vector Sleef_##sleef(vector, vector); \
  extern "C" vector Sleef_##sleef(vector x, vector y) { return _ZGV##mvec(x, y); }
#define KIT_EACH(type, vector, sleef, function)                    \
  extern "C" vector Sleef_##sleef(vector);                         \
  extern "C" vector Sleef_##sleef(vector x) {                      \
    return each<type>(x, [](type a) { return std::function(a); }); \
  }
#define KIT_EACH_TWO(type, vector, sleef, function)                              \
  extern "C" vector Sleef_##sleef(vector, vector);                               \
  extern "C" vector Sleef_##sleef(vector x, vector y) {                          \
    return each<type>(x, y, [](type a, type b) { return std::function(a, b); }); \
  }

// f and d are the vectors of float and double, n and m their numbers of elements, e the letter that the
// vector function ABI has for the instruction set. nextafter, fmod and lgamma are not in libmvec.
#define KIT_ALL(f, d, n, m, e)                      \
  KIT_ONE(f, acosf##n##_u10, e##N##n##v_acosf)      \
  KIT_ONE(d, acosd##m##_u10, e##N##m##v_acos)       \
  KIT_ONE(f, acoshf##n##_u10, e##N##n##v_acoshf)    \
  KIT_ONE(d, acoshd##m##_u10, e##N##m##v_acosh)     \
  KIT_ONE(f, asinf##n##_u10, e##N##n##v_asinf)      \
  KIT_ONE(d, asind##m##_u10, e##N##m##v_asin)       \
  KIT_ONE(f, asinhf##n##_u10, e##N##n##v_asinhf)    \
  KIT_ONE(d, asinhd##m##_u10, e##N##m##v_asinh)     \
  KIT_ONE(f, atanf##n##_u10, e##N##n##v_atanf)      \
  KIT_ONE(d, atand##m##_u10, e##N##m##v_atan)       \
  KIT_ONE(f, atanhf##n##_u10, e##N##n##v_atanhf)    \
  KIT_ONE(d, atanhd##m##_u10, e##N##m##v_atanh)     \
  KIT_ONE(f, cosf##n##_u10, e##N##n##v_cosf)        \
  KIT_ONE(d, cosd##m##_u10, e##N##m##v_cos)         \
  KIT_ONE(f, coshf##n##_u10, e##N##n##v_coshf)      \
  KIT_ONE(d, coshd##m##_u10, e##N##m##v_cosh)       \
  KIT_ONE(f, erff##n##_u10, e##N##n##v_erff)        \
  KIT_ONE(d, erfd##m##_u10, e##N##m##v_erf)         \
  KIT_ONE(f, erfcf##n##_u15, e##N##n##v_erfcf)      \
  KIT_ONE(d, erfcd##m##_u15, e##N##m##v_erfc)       \
  KIT_ONE(f, expf##n##_u10, e##N##n##v_expf)        \
  KIT_ONE(d, expd##m##_u10, e##N##m##v_exp)         \
  KIT_ONE(f, exp2f##n##_u10, e##N##n##v_exp2f)      \
  KIT_ONE(d, exp2d##m##_u10, e##N##m##v_exp2)       \
  KIT_ONE(f, expm1f##n##_u10, e##N##n##v_expm1f)    \
  KIT_ONE(d, expm1d##m##_u10, e##N##m##v_expm1)     \
  KIT_ONE(f, logf##n##_u10, e##N##n##v_logf)        \
  KIT_ONE(d, logd##m##_u10, e##N##m##v_log)         \
  KIT_ONE(f, log10f##n##_u10, e##N##n##v_log10f)    \
  KIT_ONE(d, log10d##m##_u10, e##N##m##v_log10)     \
  KIT_ONE(f, log1pf##n##_u10, e##N##n##v_log1pf)    \
  KIT_ONE(d, log1pd##m##_u10, e##N##m##v_log1p)     \
  KIT_ONE(f, log2f##n##_u10, e##N##n##v_log2f)      \
  KIT_ONE(d, log2d##m##_u10, e##N##m##v_log2)       \
  KIT_ONE(f, sinf##n##_u10, e##N##n##v_sinf)        \
  KIT_ONE(d, sind##m##_u10, e##N##m##v_sin)         \
  KIT_ONE(f, sinhf##n##_u10, e##N##n##v_sinhf)      \
  KIT_ONE(d, sinhd##m##_u10, e##N##m##v_sinh)       \
  KIT_ONE(f, tanf##n##_u10, e##N##n##v_tanf)        \
  KIT_ONE(d, tand##m##_u10, e##N##m##v_tan)         \
  KIT_ONE(f, tanhf##n##_u10, e##N##n##v_tanhf)      \
  KIT_ONE(d, tanhd##m##_u10, e##N##m##v_tanh)       \
  KIT_TWO(f, atan2f##n##_u10, e##N##n##vv_atan2f)   \
  KIT_TWO(d, atan2d##m##_u10, e##N##m##vv_atan2)    \
  KIT_TWO(f, hypotf##n##_u05, e##N##n##vv_hypotf)   \
  KIT_TWO(d, hypotd##m##_u05, e##N##m##vv_hypot)    \
  KIT_TWO(f, powf##n##_u10, e##N##n##vv_powf)       \
  KIT_TWO(d, powd##m##_u10, e##N##m##vv_pow)        \
  KIT_EACH(float, f, lgammaf##n##_u10, lgamma)      \
  KIT_EACH(double, d, lgammad##m##_u10, lgamma)     \
  KIT_EACH(float, f, sinf##n##_u35, sin)            \
  KIT_EACH(float, f, cosf##n##_u35, cos)            \
  KIT_EACH_TWO(float, f, fmodf##n, fmod)            \
  KIT_EACH_TWO(double, d, fmodd##m, fmod)           \
  KIT_EACH_TWO(float, f, nextafterf##n, nextafter)  \
  KIT_EACH_TWO(double, d, nextafterd##m, nextafter) \
  KIT_EACH_TWO(float, f, copysignf##n, copysign)    \
  KIT_EACH_TWO(double, d, copysignd##m, copysign)

#if defined(__AVX512F__)
KIT_ALL(__m512, __m512d, 16, 8, e)
#endif
#if defined(__AVX2__)
KIT_ALL(__m256, __m256d, 8, 4, d)
#endif
