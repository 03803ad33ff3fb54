#include <gtest/gtest.h>

#include <kit/tensor.h>

#include "expect_error.h"

namespace kit {
namespace {

using test::expect_error;

TEST(Tensor, HoldsWhatItWasGiven) {
  const Tensor tensor = Tensor::of<float>({1, 2, 3, 4, 5, 6}, {2, 3});
  EXPECT_EQ(tensor.str(), "float32[2, 3]");
  EXPECT_EQ(tensor.numel(), 6);
  EXPECT_EQ(tensor.nbytes(), 24U);
  EXPECT_EQ(tensor.data_as<float>()[5], 6);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.data()) % 64, 0U);
}

TEST(Tensor, HoldsBools) {
  const Tensor tensor = Tensor::of<bool>({true, false}, {2});
  EXPECT_EQ(tensor.dtype(), DType::boolean);
  EXPECT_TRUE(tensor.data_as<bool>()[0]);
  EXPECT_FALSE(tensor.data_as<bool>()[1]);
}

TEST(Tensor, RefusesValuesThatDoNotFill) {
  expect_error(ErrorCode::input, "3 values cannot fill a tensor of shape [2, 2]", [] {
    Tensor::of<float>({1, 2, 3}, {2, 2});
  });
}

TEST(Tensor, RefusesTheWrongElementType) {
  const Tensor tensor = Tensor::of<float>({1}, {});
  expect_error(ErrorCode::input, "float32[] were asked for as int64",
               [&] { tensor.data_as<std::int64_t>(); });
}

TEST(Tensor, RefusesImpossibleShapes) {
  expect_error(ErrorCode::input, "negative", [] { Tensor::empty(DType::float32, {2, -1}); });
  expect_error(ErrorCode::input, "more elements", [] { Tensor::empty(DType::float32, {INT64_MAX, 2}); });
  expect_error(ErrorCode::input, "more elements", [] { Tensor::empty(DType::float64, {INT64_MAX / 2}); });
  expect_error(ErrorCode::input, "1 strides", [] { Tensor(nullptr, DType::float32, {0, 1}, {1}); });
}

TEST(Tensor, KeepsItsOwnerAlive) {
  auto memory = std::make_shared<std::vector<float>>(std::vector<float>{7, 8});
  const std::weak_ptr<std::vector<float>> watch = memory;
  {
    float* data = memory->data();
    const Tensor tensor(data, DType::float32, {2}, {}, {}, std::move(memory));
    const Tensor row = tensor.slice(1, 2);
    EXPECT_FALSE(watch.expired());
    EXPECT_EQ(row.data_as<float>()[0], 8);
  }
  EXPECT_TRUE(watch.expired());
}

TEST(Tensor, StridesWithoutGapsAreForgotten) {
  float data[6] = {};
  EXPECT_TRUE(Tensor(data, DType::float32, {2, 3}, {3, 1}).is_contiguous());
  EXPECT_TRUE(Tensor(data, DType::float32, {1, 3}, {99, 1}).is_contiguous());
  EXPECT_TRUE(Tensor(data, DType::float32, {0, 3}, {7, 9}).is_contiguous());
  EXPECT_FALSE(Tensor(data, DType::float32, {3, 2}, {1, 3}).is_contiguous());
}

TEST(Tensor, ContiguousCopiesAcrossStrides) {
  float data[6] = {1, 2, 3, 4, 5, 6};
  const Tensor transposed(data, DType::float32, {3, 2}, {1, 3});
  const Tensor copy = transposed.contiguous();
  const std::vector<float> values(copy.data_as<float>(), copy.data_as<float>() + 6);
  EXPECT_EQ(values, (std::vector<float>{1, 4, 2, 5, 3, 6}));
  EXPECT_TRUE(copy.is_contiguous());
}

TEST(Tensor, SlicesShareTheMemory) {
  const Tensor tensor = Tensor::of<std::int64_t>({1, 2, 3, 4, 5, 6}, {3, 2});
  const Tensor rows = tensor.slice(1, 3);
  EXPECT_EQ(rows.shape(), (Shape{2, 2}));
  EXPECT_EQ(rows.data_as<std::int64_t>(), tensor.data_as<std::int64_t>() + 2);
  EXPECT_EQ(tensor.slice(3, 3).numel(), 0);
  expect_error(ErrorCode::input, "outside", [&] { tensor.slice(2, 4); });
  expect_error(ErrorCode::input, "outside", [&] { tensor.slice(2, 1); });
  expect_error(ErrorCode::input, "outside", [] { Tensor::of<float>({1}, {}).slice(0, 1); });
}

TEST(Tensor, UndefinedSaysSo) {
  const Tensor tensor;
  EXPECT_FALSE(tensor.defined());
  EXPECT_EQ(tensor.str(), "undefined tensor");
}

TEST(Device, ReadsWhatItWrites) {
  EXPECT_EQ(Device::parse("cpu"), Device{});
  EXPECT_EQ(Device::parse("cuda").str(), "cuda:0");
  EXPECT_EQ(Device::parse("cuda:3").index, 3);
  for (const char* text : {"", "gpu", "cuda:", "cuda:-1", "cuda:1x", "cpu:0", "cuda:99999999999"})
    expect_error(ErrorCode::usage, "is no device", [&] { Device::parse(text); });
}

}  // namespace
}  // namespace kit
