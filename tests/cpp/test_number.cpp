#include "io/number.h"

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "io_helpers.h"

using kit::DType;
using kit::io::scan_number;
using kit::io::ScanStatus;
using kit::io::Spelling;

namespace {

template <typename T>
std::optional<T> scan(const std::string& text, DType dtype = kit::dtype_of<T>()) {
  T value{};
  const auto result = scan_number(dtype, text.data(), text.data() + text.size(), &value);
  if (result.status != ScanStatus::ok || result.next != text.data() + text.size()) return std::nullopt;
  return value;
}

ScanStatus status(DType dtype, const std::string& text) {
  char value[16];
  return scan_number(dtype, text.data(), text.data() + text.size(), value).status;
}

template <typename T>
std::string print(T value, Spelling spelling = Spelling::csv, DType dtype = kit::dtype_of<T>()) {
  char text[kit::io::longest_number];
  return std::string(text, kit::io::print_number(dtype, &value, spelling, text));
}

}  // namespace

TEST(Number, FloatsAreRead) {
  EXPECT_EQ(scan<float>("1.5"), 1.5f);
  EXPECT_EQ(scan<float>("+1.5"), 1.5f);
  EXPECT_EQ(scan<float>("-1e-3"), -1e-3f);
  EXPECT_EQ(scan<float>(".5"), 0.5f);
  EXPECT_EQ(scan<double>("0.1"), 0.1);
  EXPECT_EQ(scan<float>("16777217"), 16777216.0f);
  EXPECT_TRUE(std::isnan(*scan<float>("NaN")));
  EXPECT_TRUE(std::isnan(*scan<double>("nan")));
  EXPECT_EQ(scan<float>("-INF"), -std::numeric_limits<float>::infinity());
  EXPECT_EQ(scan<double>("+Infinity"), std::numeric_limits<double>::infinity());
}

TEST(Number, WhatIsNoFloatIsMalformed) {
  for (const char* text : {"", "abc", "+-1", "++1", "-", "+", ".", "e5", "1,5", "0x10", "1.5f", "1 2"})
    EXPECT_FALSE(scan<float>(text)) << text;
}

TEST(Number, TooSmallBecomesZeroAndTooLargeIsOutOfRange) {
  EXPECT_EQ(scan<float>("1e-60"), 0.0f);
  EXPECT_EQ(scan<double>("1e-400"), 0.0);
  EXPECT_EQ(scan<float>("1e-45"), std::numeric_limits<float>::denorm_min());
  EXPECT_EQ(scan<float>("1.1754942e-38"), 1.1754942e-38f);
  EXPECT_EQ(status(DType::float32, "1e39"), ScanStatus::out_of_range);
  EXPECT_EQ(status(DType::float64, "-1e400"), ScanStatus::out_of_range);
  EXPECT_EQ(status(DType::float16, "70000"), ScanStatus::out_of_range);
  EXPECT_EQ(status(DType::bfloat16, "3.4e38"), ScanStatus::out_of_range);
  EXPECT_EQ(status(DType::bfloat16, "3.38e38"), ScanStatus::ok);
  EXPECT_EQ(status(DType::float32, "0." + std::string(200, '0') + "1"), ScanStatus::ok);
}

TEST(Number, IntegersKeepToTheirRange) {
  EXPECT_EQ(scan<std::int64_t>("-9223372036854775808"), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(scan<std::uint64_t>("18446744073709551615"), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(scan<std::int8_t>("+127"), 127);
  EXPECT_EQ(status(DType::int8, "128"), ScanStatus::out_of_range);
  EXPECT_EQ(status(DType::uint8, "-1"), ScanStatus::out_of_range);
  EXPECT_EQ(status(DType::int64, "9223372036854775808"), ScanStatus::out_of_range);
  EXPECT_FALSE(scan<std::int32_t>("1.0"));
  EXPECT_FALSE(scan<std::int32_t>("x"));
}

TEST(Number, BoolIsAWordOrADigit) {
  for (const char* text : {"1", "true", "True", "TRUE"}) EXPECT_EQ(scan<bool>(text), true) << text;
  for (const char* text : {"0", "false", "False"}) EXPECT_EQ(scan<bool>(text), false) << text;
  EXPECT_EQ(status(DType::boolean, "2"), ScanStatus::out_of_range);
  EXPECT_EQ(status(DType::boolean, "yes"), ScanStatus::malformed);
}

TEST(Number, FloatsComeBackAsTheyWere) {
  std::mt19937 random(1);
  for (int i = 0; i < 100'000; ++i) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    const auto back = scan<float>(print(value));
    ASSERT_TRUE(back) << print(value);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(*back));
    } else {
      EXPECT_EQ(*back, value);
    }
  }
  for (const double value : {std::numeric_limits<double>::max(), std::numeric_limits<double>::lowest(),
                             -std::numeric_limits<double>::denorm_min(), 0.1, -1.0 / 3})
    EXPECT_EQ(scan<double>(print(value)), value);
}

TEST(Number, HalvesAreRoundedOnce) {
  // Beyond the middle between two, by less than float32 can tell.
  EXPECT_EQ(scan<std::uint16_t>("1.000488281251", DType::float16), 0x3C01);
  EXPECT_EQ(scan<std::uint16_t>("1.00048828125", DType::float16), 0x3C00);
  EXPECT_EQ(scan<std::uint16_t>("1.000488281249", DType::float16), 0x3C00);
  EXPECT_EQ(scan<std::uint16_t>("-1.000488281251", DType::float16), 0xBC01);
  EXPECT_EQ(scan<std::uint16_t>("1.0039062500001", DType::bfloat16), 0x3F81);
  EXPECT_EQ(scan<std::uint16_t>("1.00390625", DType::bfloat16), 0x3F80);
  EXPECT_EQ(scan<std::uint16_t>("1e-60", DType::float16), 0);
}

TEST(Number, EveryHalfComesBackAsItWas) {
  for (const DType dtype : {DType::float16, DType::bfloat16}) {
    for (std::uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
      const auto value = static_cast<std::uint16_t>(bits);
      const std::string text = print(value, Spelling::csv, dtype);
      if (text == "nan") continue;
      EXPECT_EQ(scan<std::uint16_t>(text, dtype), value) << kit::name(dtype) << " " << text;
    }
  }
}

TEST(Number, IsSpeltForItsFormat) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(print(-std::numeric_limits<float>::quiet_NaN()), "nan");
  EXPECT_EQ(print(-infinity), "-inf");
  EXPECT_EQ(print(-infinity, Spelling::json), "\"-Infinity\"");
  EXPECT_EQ(print(std::numeric_limits<double>::quiet_NaN(), Spelling::json), "\"NaN\"");
  EXPECT_EQ(print(true), "1");
  EXPECT_EQ(print(false, Spelling::json), "false");
  EXPECT_EQ(print(0.1f), "0.1");
  EXPECT_EQ(print<std::int8_t>(-5), "-5");
  EXPECT_EQ(print(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
}
