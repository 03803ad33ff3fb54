#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include <immintrin.h>

/// Vectors of float and double as wide as the instruction set has them.
namespace kit::program {

#if defined(__AVX512F__)
inline constexpr int vector_bytes = 64;
#elif defined(__AVX2__)
inline constexpr int vector_bytes = 32;
#else
inline constexpr int vector_bytes = 16;
#endif

using FloatVector = float __attribute__((vector_size(vector_bytes)));
using DoubleVector = double __attribute__((vector_size(vector_bytes)));

template <typename T>
struct VectorOf;
template <>
struct VectorOf<float> {
  using type = FloatVector;
};
template <>
struct VectorOf<double> {
  using type = DoubleVector;
};
template <typename T>
using Vector = typename VectorOf<T>::type;
template <typename T>
inline constexpr std::int64_t lanes = vector_bytes / static_cast<std::int64_t>(sizeof(T));

template <typename T>
Vector<T> load(const T* data) noexcept {
  Vector<T> result;
  std::memcpy(&result, data, sizeof result);
  return result;
}

template <typename T>
void store(T* data, Vector<T> value) noexcept {
  std::memcpy(data, &value, sizeof value);
}

template <typename T>
Vector<T> all(T value) noexcept {
  return value - Vector<T>{};  // which the compiler knows to be the value itself, as 0 + value is not
}

/// a · b + c, rounded once where the instruction set can.
#if defined(__AVX512F__)
inline FloatVector multiply_add(FloatVector a, FloatVector b, FloatVector c) noexcept {
  return _mm512_fmadd_ps(a, b, c);
}
inline DoubleVector multiply_add(DoubleVector a, DoubleVector b, DoubleVector c) noexcept {
  return _mm512_fmadd_pd(a, b, c);
}
#elif defined(__AVX2__)
inline FloatVector multiply_add(FloatVector a, FloatVector b, FloatVector c) noexcept {
  return _mm256_fmadd_ps(a, b, c);
}
inline DoubleVector multiply_add(DoubleVector a, DoubleVector b, DoubleVector c) noexcept {
  return _mm256_fmadd_pd(a, b, c);
}
#else
inline FloatVector multiply_add(FloatVector a, FloatVector b, FloatVector c) noexcept { return a * b + c; }
inline DoubleVector multiply_add(DoubleVector a, DoubleVector b, DoubleVector c) noexcept {
  return a * b + c;
}
#endif

/// The smaller (the larger) of each number and a limit; NaN stays NaN.
#if defined(__AVX512F__)
inline FloatVector at_most(FloatVector x, float limit) noexcept { return _mm512_min_ps(all(limit), x); }
inline FloatVector at_least(FloatVector x, float limit) noexcept { return _mm512_max_ps(all(limit), x); }
#elif defined(__AVX2__)
inline FloatVector at_most(FloatVector x, float limit) noexcept { return _mm256_min_ps(all(limit), x); }
inline FloatVector at_least(FloatVector x, float limit) noexcept { return _mm256_max_ps(all(limit), x); }
#else
inline FloatVector at_most(FloatVector x, float limit) noexcept { return _mm_min_ps(all(limit), x); }
inline FloatVector at_least(FloatVector x, float limit) noexcept { return _mm_max_ps(all(limit), x); }
#endif

}  // namespace kit::program
