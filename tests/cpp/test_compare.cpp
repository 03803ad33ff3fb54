#include <cmath>
#include <complex>
#include <limits>

#include <gtest/gtest.h>

#include <kit/compare.h>

#include "expect_error.h"

namespace kit {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();
constexpr float inf = std::numeric_limits<float>::infinity();

Difference floats(const std::vector<float>& actual, const std::vector<float>& expected,
                  Tolerance tolerance = {}) {
  const auto size = static_cast<std::int64_t>(expected.size());
  return compare(Tensor::of(actual, {size}), Tensor::of(expected, {size}), tolerance);
}

TEST(Compare, EqualIsBitEqual) {
  const Difference same = floats({1, nan, inf, -inf, 0}, {1, nan, inf, -inf, 0});
  EXPECT_TRUE(same.within);
  EXPECT_TRUE(same.bit_equal);
  EXPECT_EQ(same.max_abs, 0);
  EXPECT_EQ(same.first, -1);
}

TEST(Compare, NaNsOfOtherBitsAgree) { EXPECT_TRUE(floats({-nan}, {nan}).bit_equal); }

TEST(Compare, ZerosOfOtherSignsAgreeButNotInBits) {
  const Difference zeros = floats({-0.0F}, {0.0F});
  EXPECT_TRUE(zeros.within);
  EXPECT_FALSE(zeros.bit_equal);
}

TEST(Compare, NaNAndInfinityAgreeWithNothingElse) {
  for (const auto& [actual, expected] :
       {std::pair{nan, 1.0F}, {1.0F, nan}, {inf, -inf}, {1.0F, inf}, {nan, inf}}) {
    const Difference one = floats({actual}, {expected}, {1, 1});
    EXPECT_FALSE(one.within) << actual << " " << expected;
    EXPECT_EQ(one.mismatches, 1);
  }
}

TEST(Compare, ToleranceIsAbsolutePlusRelative) {
  EXPECT_TRUE(floats({100.5F}, {100}, {0.005, 0}).within);
  EXPECT_FALSE(floats({100.5F}, {100}, {0.004, 0}).within);
  EXPECT_TRUE(floats({0.5F}, {0}, {0, 0.5}).within);
  const Difference off = floats({1, 2.5F, 4}, {1, 2, 3}, {0, 0.1});
  EXPECT_FALSE(off.within);
  EXPECT_EQ(off.first, 1);
  EXPECT_EQ(off.mismatches, 2);
  EXPECT_DOUBLE_EQ(off.max_abs, 1);
  EXPECT_DOUBLE_EQ(off.max_rel, 1.0 / 3);
  EXPECT_EQ(off.reason, "2 of 3 elements differ, the first at index 1");
}

TEST(Compare, IntegersAreExactEvenAtTheExtremes) {
  const auto ints = [](std::int64_t actual, std::int64_t expected) {
    return compare(Tensor::of<std::int64_t>({actual}, {1}), Tensor::of<std::int64_t>({expected}, {1}),
                   default_tolerances());
  };
  EXPECT_TRUE(ints(INT64_MIN, INT64_MIN).bit_equal);
  EXPECT_FALSE(ints(INT64_MAX, INT64_MAX - 1).within);
  EXPECT_DOUBLE_EQ(ints(INT64_MIN, INT64_MAX).max_abs, 0x1p64);
}

TEST(Compare, HalvesAreComparedAsNumbers) {
  const auto halves = [](DType dtype, std::uint16_t actual, std::uint16_t expected) {
    return compare(Tensor(&actual, dtype, {1}), Tensor(&expected, dtype, {1}), default_tolerances());
  };
  EXPECT_TRUE(halves(DType::float16, 0x3c01, 0x3c00).within);   // one unit beside 1
  EXPECT_FALSE(halves(DType::float16, 0x3c04, 0x3c00).within);  // four
  EXPECT_TRUE(halves(DType::bfloat16, 0x3f81, 0x3f80).within);
  EXPECT_DOUBLE_EQ(halves(DType::bfloat16, 0x3f81, 0x3f80).max_abs, 0x1p-7);
}

TEST(Compare, ComplexNumbersByTheirDistance) {
  std::complex<float> actual(3, 4);
  std::complex<float> expected(0, 0);
  const Difference off =
      compare(Tensor(&actual, DType::complex64, {1}), Tensor(&expected, DType::complex64, {1}), Tolerance{});
  EXPECT_DOUBLE_EQ(off.max_abs, 5);
  EXPECT_FALSE(off.within);
}

TEST(Compare, StepsBetweenNumbers) {
  const auto steps = [](float actual, float expected) {
    return compare(Tensor::of<float>({actual}, {1}), Tensor::of<float>({expected}, {1}), Tolerance{}).max_ulp;
  };
  EXPECT_EQ(steps(1, 1), 0);
  EXPECT_EQ(steps(std::nextafter(1.0F, 2.0F), 1), 1);
  EXPECT_EQ(steps(std::nextafter(-1.0F, 0.0F), -1), 1);
  EXPECT_EQ(steps(-0.0F, 0.0F), 0);
  EXPECT_EQ(steps(-std::numeric_limits<float>::denorm_min(), std::numeric_limits<float>::denorm_min()), 2);
  EXPECT_EQ(steps(std::numeric_limits<float>::quiet_NaN(), 1), 0);  // not finite: a mismatch, without a size
  const double big = std::numeric_limits<double>::max();
  EXPECT_GT(compare(Tensor::of<double>({-big}, {1}), Tensor::of<double>({big}, {1}), Tolerance{}).max_ulp,
            1e19);
}

TEST(Compare, OtherShapeOrTypeDiffers) {
  const Tensor two = Tensor::of<float>({1, 2}, {2});
  EXPECT_EQ(compare(Tensor::of<float>({1, 2}, {1, 2}), two, Tolerance{}).reason,
            "wanted float32[2], got float32[1, 2]");
  EXPECT_FALSE(compare(Tensor::of<double>({1, 2}, {2}), two, Tolerance{}).within);
}

TEST(Compare, StridesDoNotMatter) {
  float data[4] = {1, 2, 3, 4};
  const Tensor transposed(data, DType::float32, {2, 2}, {1, 2});
  EXPECT_TRUE(compare(transposed, Tensor::of<float>({1, 3, 2, 4}, {2, 2}), Tolerance{}).bit_equal);
}

TEST(Compare, RefusesAnotherDevice) {
  const Tensor there(nullptr, DType::float32, {0}, {}, {Device::Kind::cuda, 0});
  test::expect_error(ErrorCode::unavailable, "copy it to the CPU",
                     [&] { compare(there, there, Tolerance{}); });
}

}  // namespace
}  // namespace kit
