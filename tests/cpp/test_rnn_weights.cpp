#include "engines/rnn_weights.h"

#include <string>

#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

namespace kit {
namespace {

namespace jit = torch::jit;

constexpr std::int64_t input = 5;
constexpr std::int64_t hidden = 3;

/// A layer of a module inside of the module, with the weights of `cells` layers and directions.
jit::Module layer(std::int64_t gates, std::int64_t cells, bool biases, const std::string& call) {
  jit::Module inner("inner");
  std::string names;
  const auto add = [&](const at::Tensor& weight) {
    const std::string name = "w" + std::to_string(inner.parameters().size());
    inner.register_parameter(name, weight, false);
    names += (names.empty() ? "self." : ", self.") + name;
  };
  for (std::int64_t cell = 0; cell < cells; ++cell) {
    add(at::ones({gates * hidden, input}));
    add(at::ones({gates * hidden, hidden}));
    for (int i = 0; biases && i < 2; ++i) add(at::ones({gates * hidden}));
  }
  std::string body = call;
  body.replace(body.find("WEIGHTS"), 7, "[" + names + "]");
  inner.define("def forward(self, x, h, c):\n  return " + body + "\n");
  jit::Module module("m");
  module.register_module("rnn", inner);
  module.define("def forward(self, x, h, c):\n  return self.rnn.forward(x, h, c)\n");
  module.eval();
  return module;
}

TEST(RnnWeights, OfAnLstmInBothDirections) {
  const auto found =
      rnn_weights(layer(4, 2, true, "torch.lstm(x, [h, c], WEIGHTS, True, 1, 0.0, False, True, True)"));
  ASSERT_EQ(found.size(), 1u);
  const RnnWeights& one = found.front();
  EXPECT_EQ(one.mode, RnnWeights::Mode::lstm);
  EXPECT_EQ(one.weights.size(), 8u);
  EXPECT_EQ(one.stride, 4);
  EXPECT_EQ(one.input_size, input);
  EXPECT_EQ(one.hidden_size, hidden);
  EXPECT_EQ(one.proj_size, 0);
  EXPECT_EQ(one.layers, 1);
  EXPECT_TRUE(one.batch_first);
  EXPECT_TRUE(one.bidirectional);
}

TEST(RnnWeights, OfAGruWithoutBiases) {
  const auto found =
      rnn_weights(layer(3, 2, false, "torch.gru(x, h, WEIGHTS, False, 2, 0.0, False, False, False)"));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found.front().mode, RnnWeights::Mode::gru);
  EXPECT_EQ(found.front().stride, 2);
  EXPECT_EQ(found.front().hidden_size, hidden);
  EXPECT_EQ(found.front().layers, 2);
  EXPECT_FALSE(found.front().batch_first);
}

TEST(RnnWeights, AreThoseOfTheModuleItself) {
  const jit::Module module =
      layer(1, 1, true, "torch.rnn_tanh(x, h, WEIGHTS, True, 1, 0.0, False, False, True)");
  const auto found = rnn_weights(module);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found.front().mode, RnnWeights::Mode::tanh);
  const at::Tensor own = module.attr("rnn").toModule().attr("w0").toTensor();
  EXPECT_TRUE(found.front().weights.front().is_same(own));
}

TEST(RnnWeights, WhatIsComputedIsNoWeight) {
  jit::Module module("m");
  module.register_parameter("w", at::ones({3, 5}), false);
  module.register_parameter("u", at::ones({3, 3}), false);
  module.define(
      "def forward(self, x, h):\n"
      "  return torch.rnn_relu(x, h, [self.w * 2, self.u], False, 1, 0.0, False, False, True)\n");
  EXPECT_TRUE(rnn_weights(module).empty());
}

TEST(RnnWeights, OthersHaveNone) {
  jit::Module module("m");
  module.define("def forward(self, x):\n  return x + 1\n");
  EXPECT_TRUE(rnn_weights(module).empty());
}

}  // namespace
}  // namespace kit
