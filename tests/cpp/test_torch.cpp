#include <sstream>

#include <ATen/ops/arange.h>
#include <ATen/ops/complex.h>
#include <ATen/ops/conj.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>

#include <kit/torch.h>

#include "archive_builder.h"
#include "expect_error.h"

namespace kit {
namespace {

using test::expect_error;

/// A model whose forward(self, <arguments>) returns this TorchScript expression, saved as plain torch saves
/// it. It has a parameter `weight`.
Model scripted(const std::string& arguments, const std::string& expression) {
  torch::jit::Module module("m");
  module.register_parameter("weight", at::ones({2}), false);
  module.define("def forward(self, " + arguments + "):\n  return " + expression + "\n");
  std::stringstream file;
  module.save(file);
  return Model::load(Archive::from_bytes(test::bytes_of(file.str()), "plain.pt"));
}

TEST(Torch, TensorsGoThereAndBackWithoutACopy) {
  const at::Tensor tensor = at::rand({2, 3});
  const Tensor view = from_torch(tensor);
  EXPECT_EQ(view.str(), "float32[2, 3]");
  EXPECT_EQ(view.data(), tensor.data_ptr());
  EXPECT_TRUE(to_torch(view).is_same(tensor));
}

TEST(Torch, SlicesOfATensorAreTheirOwn) {
  const at::Tensor tensor = at::rand({4, 3});
  const at::Tensor rows = to_torch(from_torch(tensor).slice(1, 3));
  EXPECT_TRUE(at::equal(rows, tensor.slice(0, 1, 3)));
  EXPECT_EQ(rows.data_ptr(), tensor[1].data_ptr());
}

TEST(Torch, StridesAreKept) {
  const at::Tensor transposed = at::rand({2, 3}).t();
  const Tensor view = from_torch(transposed);
  EXPECT_FALSE(view.is_contiguous());
  EXPECT_TRUE(at::equal(to_torch(view), transposed));
  EXPECT_TRUE(at::equal(to_torch(view.contiguous()), transposed));
}

TEST(Torch, KitMemoryLivesAsLongAsTheTorchTensor) {
  auto memory = std::make_shared<std::vector<float>>(std::vector<float>{1, 2});
  const std::weak_ptr<std::vector<float>> watch = memory;
  at::Tensor tensor;
  {
    float* data = memory->data();
    tensor = to_torch(Tensor(data, DType::float32, {2}, {}, {}, std::move(memory)));
  }
  EXPECT_FALSE(watch.expired());
  EXPECT_EQ(tensor[1].item<float>(), 2);
  tensor.reset();
  EXPECT_TRUE(watch.expired());
}

TEST(Torch, TensorsOverKitMemoryAreLikeTorchsOwn) {
  for (const Shape& shape : {Shape{}, Shape{0}, Shape{2, 0, 3}, Shape{2, 1, 3}, Shape{1, 2, 3, 4, 5, 6}}) {
    const at::Tensor tensor = to_torch(Tensor::empty(DType::float64, shape));
    const at::Tensor own = at::empty(shape, at::kDouble);
    EXPECT_EQ(tensor.key_set(), own.key_set());
    EXPECT_EQ(tensor.options().device(), own.device());
    EXPECT_EQ(tensor.scalar_type(), own.scalar_type());
    EXPECT_EQ(tensor.sizes(), own.sizes());
    EXPECT_EQ(tensor.strides(), own.strides());
    EXPECT_EQ(tensor.storage().nbytes(), own.storage().nbytes());
    EXPECT_TRUE(tensor.is_contiguous());
  }
}

TEST(Torch, EveryDTypeComesBack) {
  for (int i = 0; i <= static_cast<int>(DType::complex128); ++i) {
    const auto dtype = static_cast<DType>(i);
    const at::Tensor tensor = to_torch(Tensor::empty(dtype, {3}));
    EXPECT_EQ(from_torch(tensor).dtype(), dtype);
    EXPECT_EQ(tensor.element_size(), static_cast<std::int64_t>(item_size(dtype)));
  }
}

TEST(Torch, LazyConjugatesAreComputed) {
  const at::Tensor number = at::complex(at::ones({1}), at::ones({1}));
  const Tensor view = from_torch(number.conj());
  EXPECT_EQ(static_cast<const float*>(view.data())[1], -1);
}

TEST(Torch, RefusesWhatItCannotView) {
  expect_error(ErrorCode::input, "undefined", [] { from_torch(at::Tensor()); });
  expect_error(ErrorCode::input, "sparse", [] { from_torch(at::ones({2, 2}).to_sparse()); });
}

TEST(Torch, PredictTakesAndGivesTorchTensors) {
  const Model model = scripted("x, y", "x + y, x * y");
  const auto outputs = predict(model, {at::ones({3}), at::arange(3)});
  ASSERT_EQ(outputs.size(), 2U);
  EXPECT_TRUE(at::equal(outputs[0], at::arange(1, 4).to(at::kFloat)));
}

TEST(Torch, OutputsAreNeverTheMemoryOfInputsOrOfTheModel) {
  const Model model = scripted("x", "x, x.view(-1), self.weight");
  const at::Tensor x = at::rand({2, 2});
  const auto outputs = predict(model, {x});
  EXPECT_NE(outputs[0].data_ptr(), x.data_ptr());
  EXPECT_NE(outputs[1].data_ptr(), x.data_ptr());
  EXPECT_TRUE(at::equal(outputs[0], x));
  outputs[2].fill_(7);
  EXPECT_TRUE(at::equal(predict(model, {x})[2], at::ones({2})));
}

TEST(Torch, MemoryWithoutOwnerIsNotKept) {
  const Model model = scripted("x", "x.t()");
  std::vector<float> data{1, 2, 3, 4};
  const Tensor output = model.predict({Tensor(data.data(), DType::float32, {2, 2})}).at(0);
  data.assign(4, -1);
  EXPECT_EQ(output.contiguous().data_as<float>()[1], 3);
}

TEST(Torch, NestedOutputsOfModelsFromElsewhereAreFlattened) {
  const Model model = scripted("x", "{'a': x + 1, 'b': x + 2}, [x + 3, x + 4], (x + 5, (x + 6,))");
  const auto outputs = predict(model, {at::ones({1})});
  ASSERT_EQ(outputs.size(), 6U);
  for (int i = 0; i < 6; ++i)
    EXPECT_EQ(outputs[static_cast<std::size_t>(i)].item<float>(), static_cast<float>(i + 2));
}

TEST(Torch, OutputsThatAreNoTensorsAreNamed) {
  expect_error(ErrorCode::input, "the model returned a Int, which is no tensor",
               [] { predict(scripted("x", "x.dim()"), {at::ones({1})}); });
}

TEST(Torch, WhatTheModelRaisesIsOneLine) {
  const Model model = scripted("x", "x @ x");
  expect_error(ErrorCode::input, "the model cannot compute these inputs: ", [&] {
    predict(model, {at::ones({2, 3})});
  });
  expect_error(ErrorCode::input, "wanted 1 inputs (x), got 0", [&] { predict(model, {}); });
}

TEST(Torch, ArchivesThatLibtorchCannotLoadAreNamed) {
  const test::ArchiveBuilder builder;
  const Archive archive = Archive::from_bytes(test::bytes_of(builder.build()), "here.pt");
  expect_error(ErrorCode::archive, "here.pt: libtorch cannot load it", [&] { Model::load(archive); });
}

TEST(Torch, GradientsAreNotRecorded) {
  const Model model = scripted("x", "x * 2");
  const auto outputs = predict(model, {at::ones({1}).requires_grad_()});
  EXPECT_FALSE(outputs[0].requires_grad());
}

}  // namespace
}  // namespace kit
