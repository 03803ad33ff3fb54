#include <sstream>

#include <ATen/ops/rand.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <kit/bisect.h>
#include <kit/torch.h>

#include "archive_builder.h"
#include "expect_error.h"

namespace kit {
namespace {

using test::expect_error;

/// A model whose `forward` takes x and returns this. A fused tanh differs from torch's on the CPU, but not at
/// 0; products and sums do not.
Model model_of(const std::string& expression, const Configuration& configuration = {.fusion = true}) {
  torch::jit::Module module("m");
  module.define("def forward(self, x):\n  return " + expression + "\n");
  std::stringstream file;
  module.save(file);
  return Model::load(Archive::from_bytes(test::bytes_of(file.str()), "m.pt"),
                     {.configuration = configuration});
}

BisectOptions exact() { return {.tolerances = {{DType::float32, {}}}}; }

std::vector<Tensor> rows(std::int64_t count) {
  at::manual_seed(1);
  return {from_torch(at::rand({count, 3}))};
}

std::vector<Tensor> zeros(std::int64_t count) { return {from_torch(at::zeros({count, 3}))}; }

TEST(TorchBisect, FindsTheOperationAndShowsItAlone) {
  const Bisection found = model_of("torch.tanh(x * x + 1) * 2").bisect_fusion({rows(32)}, exact());
  ASSERT_TRUE(found.differs);
  EXPECT_EQ(found.run, 2);
  ASSERT_EQ(found.groups.size(), 1U);
  EXPECT_EQ(found.groups[0].operations.size(), 4U);
  EXPECT_EQ(found.group, 0);
  ASSERT_TRUE(found.operation);
  EXPECT_EQ(found.operation->operation, "aten::tanh");
  ASSERT_TRUE(found.repro);
  EXPECT_EQ(found.repro->operations.size(), 1U);
  EXPECT_FALSE(found.repro->difference.within);

  std::istringstream file(found.repro->program);
  torch::jit::Module program = torch::jit::load(file);
  const at::Tensor input = to_torch(found.repro->inputs.at(0));
  EXPECT_TRUE(program.forward({input}).toTensor().equal(input.tanh()));
}

TEST(TorchBisect, LooksIntoTheFallbackOfAnotherSize) {
  const Bisection found = model_of("torch.tanh(x * x) * 2").bisect_fusion({zeros(2), rows(2000)}, exact());
  ASSERT_TRUE(found.differs);
  EXPECT_EQ(found.case_index, 1);
  ASSERT_EQ(found.groups.size(), 1U);
  EXPECT_EQ(found.groups[0].depth, 1);
  ASSERT_TRUE(found.operation);
  EXPECT_EQ(found.operation->operation, "aten::tanh");
}

TEST(TorchBisect, BlamesNoGroupForWhatIsAmplifiedAfterIt) {
  const Model model = model_of("torch.cumsum(torch.tanh(x * x + 1) * 2, 0) * 1000000.0");
  const Bisection found = model.bisect_fusion({rows(32)}, {.tolerances = {{DType::float32, {0, 1e-5}}}});
  ASSERT_TRUE(found.differs);
  ASSERT_EQ(found.groups.size(), 1U);
  EXPECT_TRUE(found.groups[0].difference.within);
  EXPECT_FALSE(found.groups[0].difference.bit_equal);
  EXPECT_FALSE(found.group);
  EXPECT_FALSE(found.operation);
  EXPECT_FALSE(found.repro);
}

TEST(TorchBisect, WhatAgreesHasNoCause) {
  const Bisection found = model_of("torch.relu(x * x - 1) * 2").bisect_fusion({rows(32), rows(40)}, exact());
  EXPECT_FALSE(found.differs);
  EXPECT_TRUE(found.difference.bit_equal);
  EXPECT_TRUE(found.groups.empty());
  EXPECT_FALSE(nlohmann::json::parse(found.json()).contains("case"));
}

TEST(TorchBisect, TheModelStaysAsItIs) {
  const Model model = model_of("torch.tanh(x * x + 1) * 2", {.fusion = false});
  const auto before = model.predict(rows(32));
  const Bisection found = model.bisect_fusion({rows(32)}, exact());
  EXPECT_TRUE(found.differs);
  EXPECT_EQ(model.configuration().fusion, false);
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(compare(model.predict(rows(32)).at(0), before.at(0), Tolerance{}).bit_equal);
}

TEST(TorchBisect, RefusesWhatMeansNothing) {
  const Model model = model_of("torch.tanh(x * x + 1) * 2");
  expect_error(ErrorCode::usage, "runs is 0; give 1 or more",
               [&] { model.bisect_fusion({rows(32)}, {.runs = 0}); });
  expect_error(ErrorCode::input, "", [&] { model.bisect_fusion({{}}, {}); });
}

}  // namespace
}  // namespace kit
