#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include <kit/signature.h>

#include "expect_error.h"

namespace kit {
namespace {

using test::expect_error;

/// a: float32[batch, 3] and b: int64[batch], batch in 0..8.
Signature pair() {
  Signature signature;
  signature.dims = {{"batch", 0, 8}};
  signature.inputs = {{"a", DType::float32, std::vector<DimSpec>{{0, 0}, {3, -1}}},
                      {"b", DType::int64, std::vector<DimSpec>{{0, 0}}}};
  signature.outputs = {{"y", DType::float32, std::vector<DimSpec>{{0, 0}}}};
  return signature;
}

Tensor a(std::int64_t batch, std::int64_t width = 3) { return Tensor::empty(DType::float32, {batch, width}); }
Tensor b(std::int64_t batch) { return Tensor::empty(DType::int64, {batch}); }

TEST(Signature, AcceptsWhatFits) {
  pair().check_inputs({a(1), b(1)});
  pair().check_inputs({a(8), b(8)});
  pair().check_inputs({a(0), b(0)});
}

TEST(Signature, ValuesAreNotItsBusiness) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  pair().check_inputs({Tensor::of<float>({nan, inf, -inf}, {1, 3}), b(1)});
}

TEST(Signature, NamesWhatDoesNotFit) {
  const auto check = [](const char* text, const std::vector<Tensor>& inputs) {
    expect_error(ErrorCode::input, text, [&] { pair().check_inputs(inputs); });
  };
  check("wanted 2 inputs (a, b), got 1", {a(1)});
  check("wanted 2 inputs (a, b), got 3", {a(1), b(1), b(1)});
  check("input 'a': wanted float32[batch, 3], got float64[1, 3]",
        {Tensor::empty(DType::float64, {1, 3}), b(1)});
  check("input 'a': wanted float32[batch, 3], got float32[3]", {Tensor::empty(DType::float32, {3}), b(1)});
  check("input 'a': wanted float32[batch, 3], got float32[2, 4]: dimension 1 must be 3", {a(2, 4), b(2)});
  check("input 'a': wanted float32[batch, 3] with 'batch' in 0..8, got float32[9, 3]: dimension 0 is 9",
        {a(9), b(9)});
  check("input 'b': wanted 'batch' = 2 as in input 'a', got int64[3]: dimension 0 is 3", {a(2), b(3)});
  check("input 'b': wanted int64[batch], got an undefined tensor", {a(2), Tensor()});
}

TEST(Signature, OutputsAreWhatItPromises) {
  const auto y = [](DType dtype, std::int64_t batch) { return Tensor::empty(dtype, {batch}); };
  const std::vector<Tensor> inputs{a(2), b(2)};
  pair().check_outputs({y(DType::float32, 2)}, inputs);
  const auto check = [&](const char* text, const std::vector<Tensor>& outputs) {
    expect_error(ErrorCode::parity, {text, "what its signature does not say"},
                 [&] { pair().check_outputs(outputs, inputs); });
  };
  check("wanted 1 outputs (y), got 0", {});
  check("output 'y': wanted float32[batch], got float64[2]", {y(DType::float64, 2)});
  check("output 'y': wanted 'batch' = 2 as in input 'b', got float32[3]: dimension 0 is 3",
        {y(DType::float32, 3)});
  check("output 'y': wanted float32[batch], got float32[2, 3]: the number of dimensions differs", {a(2)});
}

TEST(Signature, CountsEveryDimOfMany) {
  Signature signature;
  for (int i = 0; i < 20; ++i) {
    signature.dims.push_back({"d" + std::to_string(i), 1, 4});
    signature.inputs.push_back(
        {"x" + std::to_string(i), DType::float32, std::vector<DimSpec>{{0, i}, {0, 19}}});
  }
  std::vector<Tensor> inputs(20, Tensor::empty(DType::float32, {2, 3}));
  expect_error(ErrorCode::input, "input 'x19': wanted 'd19' = 3 as in input 'x18', got float32[2, 3]",
               [&] { signature.check_inputs(inputs); });
  inputs[19] = Tensor::empty(DType::float32, {3, 3});
  signature.check_inputs(inputs);
}

TEST(Signature, WhatIsUnknownIsNotChecked) {
  Signature signature;
  signature.inputs = {{"x", std::nullopt, std::nullopt}};
  signature.check_inputs({a(2)});
  signature.check_inputs({b(2)});
  EXPECT_EQ(signature.str(signature.inputs[0]), "?[?]");
  EXPECT_EQ(signature.batch(), nullptr);
}

TEST(Signature, BatchLeadsEverything) {
  EXPECT_EQ(pair().batch()->name, "batch");
  Signature scalar = pair();
  scalar.outputs[0].shape->clear();
  EXPECT_EQ(scalar.batch(), nullptr);
  Signature fixed = pair();
  fixed.inputs[1].shape->front() = {4, -1};
  EXPECT_EQ(fixed.batch(), nullptr);
  Signature two = pair();
  two.dims.push_back({"other", 1, 2});
  two.inputs[1].shape->front() = {0, 1};
  EXPECT_EQ(two.batch(), nullptr);
}

}  // namespace
}  // namespace kit
