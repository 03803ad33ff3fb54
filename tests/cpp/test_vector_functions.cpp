#include "program/vector_functions.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include <gtest/gtest.h>

namespace kit::program {
namespace {

using Function = FloatVector (*)(FloatVector);

float at(Function function, float x) { return function(all(x))[0]; }

/// The largest error, in units in the last place, over numbers of all magnitudes and both signs.
double largest_error(Function function, double (*exact)(double)) {
  constexpr std::uint32_t step = 9973;
  double largest = 0;
  for (std::uint64_t bits = 0; bits < std::uint64_t{1} << 32; bits += step) {
    const float x = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    if (!std::isfinite(x)) continue;
    const double wanted = exact(static_cast<double>(x));
    const float rounded = static_cast<float>(wanted), found = at(function, x);
    if (found == rounded) continue;
    const float size = std::abs(rounded);
    const float unit = std::nextafterf(size, std::numeric_limits<float>::infinity()) - size;
    largest = std::max(largest, std::abs(static_cast<double>(found) - wanted) / static_cast<double>(unit));
  }
  return largest;
}

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

TEST(VectorFunctions, ExponentialsAreWithinTheirBound) {
  EXPECT_LE(largest_error(exp, [](double x) { return std::exp(x); }), 1.2);
}

TEST(VectorFunctions, ExponentialsAtTheEndsOfWhatThereIs) {
  EXPECT_EQ(at(exp, 0.0F), 1.0F);
  EXPECT_EQ(at(exp, infinity), infinity);
  EXPECT_EQ(at(exp, -infinity), 0.0F);
  EXPECT_EQ(at(exp, 89.0F), infinity);
  EXPECT_NEAR(at(exp, -100.0F) / std::exp(-100.0F), 1.0F, 0.02F);  // of which few digits are left
  EXPECT_TRUE(std::isnan(at(exp, nan)));
}

TEST(VectorFunctions, ErrorFunctionIsWithinItsBound) {
  EXPECT_LE(largest_error(erf, [](double x) { return std::erf(x); }), 7.1);
}

TEST(VectorFunctions, ErrorFunctionAtTheEndsOfWhatThereIs) {
  EXPECT_EQ(at(erf, infinity), 1.0F);
  EXPECT_EQ(at(erf, -infinity), -1.0F);
  EXPECT_EQ(at(erf, std::numeric_limits<float>::max()), 1.0F);
  EXPECT_EQ(at(erf, std::numeric_limits<float>::denorm_min()), std::numeric_limits<float>::denorm_min());
  EXPECT_TRUE(std::signbit(at(erf, -0.0F)));
  EXPECT_TRUE(std::isnan(at(erf, nan)));
  for (float x = 3.0F; x < 5.0F; x += 0x1p-16F) ASSERT_LE(at(erf, x), 1.0F) << x;
}

}  // namespace
}  // namespace kit::program
