#include <kit/compare.h>

#include <cmath>
#include <complex>
#include <limits>
#include <type_traits>

namespace kit {
namespace {

struct Float16 {
  std::uint16_t bits;
};
struct BFloat16 {
  std::uint16_t bits;
};

double widen(Float16 value) { return float16_to_float(value.bits); }
double widen(BFloat16 value) { return bfloat16_to_float(value.bits); }
double widen(float value) { return value; }
double widen(double value) { return value; }
std::complex<double> widen(std::complex<float> value) { return value; }
std::complex<double> widen(std::complex<double> value) { return value; }

/// How many numbers of the type lie between the two, one of which counts: their bits, read as integers, are
/// in the order of the numbers.
template <typename Integer, typename T>
double steps(const T& a, const T& b) {
  const auto place = [](const T& value) {
    Integer bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    // Negative numbers grow in the other direction. The result is between -max and max.
    return bits < 0 ? static_cast<Integer>(std::numeric_limits<Integer>::min() - bits) : bits;
  };
  const auto high = static_cast<std::uint64_t>(std::max(place(a), place(b)));
  const auto low = static_cast<std::uint64_t>(std::min(place(a), place(b)));
  return static_cast<double>(high - low);
}

double ulp(Float16 a, Float16 b) { return steps<std::int16_t>(a, b); }
double ulp(BFloat16 a, BFloat16 b) { return steps<std::int16_t>(a, b); }
double ulp(float a, float b) { return steps<std::int32_t>(a, b); }
double ulp(double a, double b) { return steps<std::int64_t>(a, b); }
template <typename T>
double ulp(std::complex<T> a, std::complex<T> b) {
  return std::max(ulp(a.real(), b.real()), ulp(a.imag(), b.imag()));
}

bool is_nan(double value) { return std::isnan(value); }
bool is_nan(const std::complex<double>& value) {
  return std::isnan(value.real()) || std::isnan(value.imag());
}
bool is_finite(double value) { return std::isfinite(value); }
bool is_finite(const std::complex<double>& value) {
  return std::isfinite(value.real()) && std::isfinite(value.imag());
}

void count_mismatch(Difference& result, std::int64_t index) {
  result.within = false;
  if (result.first < 0) result.first = index;
  ++result.mismatches;
}

template <typename T>
void compare_floating(const Tensor& actual, const Tensor& expected, const Tolerance& tolerance,
                      Difference& result) {
  const T* a = static_cast<const T*>(actual.data());
  const T* e = static_cast<const T*>(expected.data());
  for (std::int64_t i = 0; i < expected.numel(); ++i) {
    // The bits are what is asked about: -0 differs from 0.
    // NOLINTNEXTLINE(bugprone-suspicious-memory-comparison)
    if (std::memcmp(a + i, e + i, sizeof(T)) == 0) continue;
    const auto x = widen(a[i]);
    const auto y = widen(e[i]);
    if (is_nan(x) && is_nan(y)) continue;
    result.bit_equal = false;
    if (!is_finite(x) || !is_finite(y)) {
      if (x != y) count_mismatch(result, i);
      continue;
    }
    const double gap = std::abs(x - y);
    const double size = std::abs(y);
    result.max_abs = std::max(result.max_abs, gap);
    if (size > 0) result.max_rel = std::max(result.max_rel, gap / size);
    result.max_ulp = std::max(result.max_ulp, ulp(a[i], e[i]));
    if (gap > tolerance.atol + tolerance.rtol * size) count_mismatch(result, i);
  }
}

template <typename T>
void compare_integers(const Tensor& actual, const Tensor& expected, const Tolerance& tolerance,
                      Difference& result) {
  const T* a = static_cast<const T*>(actual.data());
  const T* e = static_cast<const T*>(expected.data());
  for (std::int64_t i = 0; i < expected.numel(); ++i) {
    if (a[i] == e[i]) continue;
    result.bit_equal = false;
    // Unsigned subtraction is exact even between the extremes of int64.
    const auto high = static_cast<std::uint64_t>(std::max(a[i], e[i]));
    const auto low = static_cast<std::uint64_t>(std::min(a[i], e[i]));
    const auto gap = static_cast<double>(high - low);
    const double size = std::abs(static_cast<double>(e[i]));
    result.max_abs = std::max(result.max_abs, gap);
    if (size > 0) result.max_rel = std::max(result.max_rel, gap / size);
    if (gap > tolerance.atol + tolerance.rtol * size) count_mismatch(result, i);
  }
}

using Comparison = void (*)(const Tensor&, const Tensor&, const Tolerance&, Difference&);

Comparison comparison_of(DType dtype) {
  switch (dtype) {
    case DType::boolean:
    case DType::uint8:
      return compare_integers<std::uint8_t>;
    case DType::uint16:
      return compare_integers<std::uint16_t>;
    case DType::uint32:
      return compare_integers<std::uint32_t>;
    case DType::uint64:
      return compare_integers<std::uint64_t>;
    case DType::int8:
      return compare_integers<std::int8_t>;
    case DType::int16:
      return compare_integers<std::int16_t>;
    case DType::int32:
      return compare_integers<std::int32_t>;
    case DType::int64:
      return compare_integers<std::int64_t>;
    case DType::float16:
      return compare_floating<Float16>;
    case DType::bfloat16:
      return compare_floating<BFloat16>;
    case DType::float32:
      return compare_floating<float>;
    case DType::float64:
      return compare_floating<double>;
    case DType::complex64:
      return compare_floating<std::complex<float>>;
    case DType::complex128:
      return compare_floating<std::complex<double>>;
  }
  throw Error(ErrorCode::internal, "a tensor has an element type that compare does not know");
}

void require_cpu(const Tensor& tensor) {
  if (tensor.device().kind != Device::Kind::cpu)
    throw Error(ErrorCode::unavailable,
                tensor.str() + " is on " + tensor.device().str() + "; copy it to the CPU to compare it");
}

}  // namespace

const Tolerances& default_tolerances() {
  static const Tolerances table{
      {DType::float16, {1e-3, 1e-5}},
      {DType::bfloat16, {1.6e-2, 1e-5}},
      {DType::float32, {1.3e-6, 1e-5}},
      {DType::float64, {1e-7, 1e-7}},
      {DType::complex64, {1.3e-6, 1e-5}},
      {DType::complex128, {1e-7, 1e-7}},
      {DType::boolean, {}},
      {DType::uint8, {}},
      {DType::uint16, {}},
      {DType::uint32, {}},
      {DType::uint64, {}},
      {DType::int8, {}},
      {DType::int16, {}},
      {DType::int32, {}},
      {DType::int64, {}},
  };
  return table;
}

Difference compare(const Tensor& actual, const Tensor& expected, const Tolerance& tolerance) {
  require_cpu(actual);
  require_cpu(expected);
  Difference result;
  if (actual.dtype() != expected.dtype() || actual.shape() != expected.shape()) {
    result.within = result.bit_equal = false;
    result.mismatches = expected.numel();
    result.reason = "wanted " + expected.str() + ", got " + actual.str();
    return result;
  }
  comparison_of(expected.dtype())(actual.contiguous(), expected.contiguous(), tolerance, result);
  if (!result.within)
    result.reason = std::to_string(result.mismatches) + " of " + std::to_string(expected.numel()) +
                    " elements differ, the first at index " + std::to_string(result.first);
  return result;
}

Difference compare(const Tensor& actual, const Tensor& expected, const Tolerances& tolerances) {
  const auto found = tolerances.find(expected.dtype());
  return compare(actual, expected,
                 found != tolerances.end() ? found->second : default_tolerances().at(expected.dtype()));
}

}  // namespace kit
