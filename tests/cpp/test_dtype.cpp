#include <bit>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include <kit/dtype.h>

namespace kit {
namespace {

TEST(DType, NamesComeBack) {
  for (int i = 0; i <= static_cast<int>(DType::complex128); ++i) {
    const auto dtype = static_cast<DType>(i);
    EXPECT_EQ(dtype_from_name(name(dtype)), dtype);
  }
  EXPECT_EQ(dtype_from_name("float8"), std::nullopt);
  EXPECT_EQ(name(DType::boolean), "bool");
}

TEST(DType, SizesAreThoseOfTheirTypes) {
  EXPECT_EQ(item_size(DType::boolean), 1U);
  EXPECT_EQ(item_size(DType::bfloat16), 2U);
  EXPECT_EQ(item_size(DType::uint32), 4U);
  EXPECT_EQ(item_size(DType::complex128), 16U);
}

TEST(DType, EveryFloat16SurvivesTheWayThroughFloat) {
  for (std::uint32_t bits = 0; bits <= 0xffff; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float wide = float16_to_float(half);
    if (std::isnan(wide))
      EXPECT_TRUE(std::isnan(float16_to_float(float_to_float16(wide))));
    else
      ASSERT_EQ(float_to_float16(wide), half) << wide;
  }
}

TEST(DType, EveryBFloat16SurvivesTheWayThroughFloat) {
  for (std::uint32_t bits = 0; bits <= 0xffff; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float wide = bfloat16_to_float(half);
    if (std::isnan(wide))
      EXPECT_TRUE(std::isnan(bfloat16_to_float(float_to_bfloat16(wide))));
    else
      ASSERT_EQ(float_to_bfloat16(wide), half) << wide;
  }
}

TEST(DType, Float16RoundsTiesToEven) {
  EXPECT_EQ(float_to_float16(1.0F), 0x3c00);
  EXPECT_EQ(float_to_float16(1.0F + 0x1p-11F), 0x3c00);             // halfway, down to even
  EXPECT_EQ(float_to_float16(1.0F + 3 * 0x1p-11F), 0x3c02);         // halfway, up to even
  EXPECT_EQ(float_to_float16(1.0F + 0x1p-11F + 0x1p-20F), 0x3c01);  // above halfway
  EXPECT_EQ(float_to_float16(65504.0F), 0x7bff);                    // the largest
  EXPECT_EQ(float_to_float16(65519.0F), 0x7bff);
  EXPECT_EQ(float_to_float16(65520.0F), 0x7c00);  // rounds to infinity
  EXPECT_EQ(float_to_float16(0x1p-24F), 0x0001);  // the smallest
  EXPECT_EQ(float_to_float16(0x1p-25F), 0x0000);  // halfway, down to even
  EXPECT_EQ(float_to_float16(-0.0F), 0x8000);
  EXPECT_EQ(float_to_float16(std::numeric_limits<float>::max()), 0x7c00);
}

TEST(DType, BFloat16RoundsTiesToEven) {
  EXPECT_EQ(float_to_bfloat16(std::bit_cast<float>(0x3f808000U)), 0x3f80);
  EXPECT_EQ(float_to_bfloat16(std::bit_cast<float>(0x3f818000U)), 0x3f82);
  EXPECT_EQ(float_to_bfloat16(std::bit_cast<float>(0x3f808001U)), 0x3f81);
  EXPECT_EQ(float_to_bfloat16(std::numeric_limits<float>::infinity()), 0x7f80);
}

}  // namespace
}  // namespace kit
