#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>

#include <kit/graph_diff.h>
#include <kit/torch.h>

#include "archive_builder.h"
#include "expect_error.h"

namespace kit {
namespace {

using test::expect_error;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using Names = std::vector<std::string>;

Archive archive(const torch::jit::Module& module) {
  std::stringstream file;
  module.save(file);
  return Archive::from_bytes(test::bytes_of(file.str()), "graph.pt");
}

/// Numbers and a result that nothing uses, both hidden from what torch folds while it reads the program:
/// behind attributes, and in a submodule.
Archive numbers() {
  torch::jit::Module inner("inner");
  for (const auto& [name, number] : std::map<std::string, int>{{"a", 7}, {"b", 11}, {"c", 2}})
    inner.register_attribute(name, c10::IntType::get(), number);
  inner.define(R"(
def forward(self, x):
  unused = x.sum()
  return (x + (self.a + self.b + self.c), unused)
)");
  torch::jit::Module outer("outer");
  outer.register_module("inner", inner);
  outer.define(R"(
def forward(self, x):
  return self.inner.forward(x)[0]
)");
  return archive(outer);
}

/// relu(x*m1 + m2) @ m2, and further methods.
Archive chain() {
  torch::jit::Module module("chain");
  module.register_parameter("m1", at::rand({4, 4}), false);
  module.register_parameter("m2", at::rand({4, 4}), false);
  module.register_parameter("scale", at::ones({}), false);
  module.define(R"(
def forward(self, x):
  return torch.relu(x * self.m1 + self.m2) @ self.m2

def branch(self, x):
  if bool(x.sum() > 0):
    y = x * self.scale
  else:
    y = -x
  return y

def loop(self, x):
  for i in range(int(x.sum())):
    x = x + i
  return x

def count(self, x):
  self.scale.add_(1)
  self.m1 = self.m1 + x
  return self.m1 * 2
)");
  return archive(module);
}

std::vector<Tensor> square(std::int64_t size = 4) { return {from_torch(at::rand({size, 4}))}; }

Graph graph_of(const Archive& from, Stage stage, const Options& options = {}) {
  return Model::load(from, options)
      .graph(stage, stage == Stage::optimized ? square() : std::vector<Tensor>());
}

Names operations(const Graph& graph, std::optional<int> group) {
  Names found;
  for (const GraphNode& node : graph.nodes)
    if (node.group == group && node.operation.starts_with("aten::")) found.push_back(node.operation);
  return found;
}

const GraphNode& node(const Graph& graph, const std::string& operation) {
  for (const GraphNode& one : graph.nodes)
    if (one.operation == operation) return one;
  throw std::runtime_error("there is no " + operation);
}

std::map<std::string, std::string> constants(const Graph& graph) {
  std::map<std::string, std::string> found;
  for (const GraphNode& one : graph.nodes)
    if (one.operation == "prim::Constant") found[one.outputs.at(0).name] = one.constant.value_or("");
  return found;
}

/// Every value has one name, is made before it is used, and blocks are where their nodes say.
void expect_sound(const Graph& graph) {
  std::set<std::string> known;
  const auto add = [&](const std::string& name) { EXPECT_TRUE(known.insert(name).second) << name; };
  for (const GraphValue& input : graph.inputs) add(input.name);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const GraphNode& one = graph.nodes[i];
    for (const std::string& input : one.inputs) EXPECT_TRUE(known.contains(input)) << one.operation << input;
    for (const GraphBlock& block : one.blocks)
      for (const GraphValue& input : block.inputs) add(input.name);
    for (const GraphValue& output : one.outputs) add(output.name);
    if (!one.parent) continue;
    ASSERT_LT(static_cast<std::size_t>(*one.parent), i);
    EXPECT_LT(static_cast<std::size_t>(one.block), graph.nodes[*one.parent].blocks.size());
  }
  for (const GraphNode& one : graph.nodes)
    for (const GraphBlock& block : one.blocks)
      for (const std::string& output : block.outputs) EXPECT_TRUE(known.contains(output)) << output;
  for (const std::string& output : graph.outputs) EXPECT_TRUE(known.contains(output)) << output;
}

TEST(TorchGraph, NumbersAreFoldedAndWhatIsUnusedGoes) {
  const Graph traced = graph_of(numbers(), Stage::traced);
  expect_sound(traced);
  EXPECT_EQ(node(traced, "prim::GetAttr").attribute, "inner.a");
  EXPECT_EQ(node(traced, "prim::GetAttr").constant, "7");
  EXPECT_EQ(traced.inputs.size(), 1);
  const Graph frozen = graph_of(numbers(), Stage::frozen);
  expect_sound(frozen);
  EXPECT_THAT(constants(frozen), Contains(testing::Pair(testing::_, "20")));
  EXPECT_EQ(operations(frozen, {}), Names({"aten::add"}));
  const GraphDiff step = diff(traced, frozen);
  EXPECT_THAT(step.str(), HasSubstr("removed, as nothing uses it: aten::sum"));
  EXPECT_THAT(step.str(), HasSubstr("aten::add(aten::add(7, 11), 2)"));
  ASSERT_EQ(step.folded.size(), 1);
  EXPECT_EQ(step.folded[0].constant, "20");
  EXPECT_EQ(step.unchanged, 1);
}

TEST(TorchGraph, LinesAreThoseOfTheSourceThatTheArchiveTellsOf) {
  for (const Stage stage : {Stage::traced, Stage::frozen}) {
    const Graph graph = graph_of(numbers(), stage);
    const std::optional<CodeLine> line = node(graph, "aten::add").line;
    ASSERT_TRUE(line);
    EXPECT_EQ(line->file, "<string>");
    EXPECT_EQ(line->line, 4);
    EXPECT_EQ(line->text, "return (x + (self.a + self.b + self.c), unused)");
  }
}

TEST(TorchGraph, WeightsHaveTheirPaths) {
  const Graph traced = graph_of(chain(), Stage::traced);
  const Graph frozen = graph_of(chain(), Stage::frozen);
  expect_sound(traced);
  expect_sound(frozen);
  std::set<std::string> read;
  std::set<std::string> held;
  for (const GraphNode& one : traced.nodes)
    if (one.operation == "prim::GetAttr") read.insert(one.attribute.value());
  for (const GraphNode& one : frozen.nodes)
    if (one.attribute) held.insert(*one.attribute);
  EXPECT_EQ(read, (std::set<std::string>{"m1", "m2"}));
  EXPECT_EQ(held, read);
  EXPECT_THAT(diff(traced, frozen).weights, ElementsAre("m1", "m2"));
  EXPECT_EQ(diff(traced, frozen).unchanged, 4);
}

TEST(TorchGraph, AGroupStandsInItsPlace) {
  const Options fused{.configuration = {.fusion = true}};
  const Graph graph = graph_of(chain(), Stage::optimized, fused);
  expect_sound(graph);
  const Names inside = operations(graph, 0);
  EXPECT_THAT(inside, testing::IsSupersetOf({"aten::mul", "aten::add", "aten::relu"}));
  EXPECT_THAT(operations(graph, 1), testing::IsEmpty());
  EXPECT_THAT(graph.text, HasSubstr("prim::TensorExprGroup_0"));
  const GraphNode& guard = node(graph, "prim::TypeCheck");
  EXPECT_EQ(guard.outputs.size(), guard.inputs.size() + 1);
  EXPECT_EQ(node(graph, "prim::If").blocks.size(), 2);
  EXPECT_EQ(node(graph, "aten::mul").block, 0);
  EXPECT_EQ(node(graph, "prim::CallFunction").block, 1);
  EXPECT_EQ(node(graph, "aten::mul").outputs[0].type,
            "Float(4, 4, strides=[4, 1], requires_grad=0, device=cpu)");
  const GraphDiff step = diff(graph_of(chain(), Stage::traced), graph);
  ASSERT_EQ(step.fused.size(), 1);
  EXPECT_EQ(step.unchanged, 4);
  EXPECT_EQ(step.alone.size() + step.fused[0].operations.size(), 4);
}

TEST(TorchGraph, AGroupForAnySizeTakesSizes) {
  const Options dynamic{.configuration = {.fusion = true, .static_depth = 0, .dynamic_depth = 1}};
  const Graph graph = graph_of(chain(), Stage::optimized, dynamic);
  expect_sound(graph);
  EXPECT_EQ(operations(graph, 0), Names({"aten::mul", "aten::add", "aten::relu"}));
  EXPECT_EQ(node(graph, "prim::TensorExprDynamicGuard").outputs.size(), 1);
  const GraphDiff step = diff(graph_of(chain(), Stage::traced), graph);
  ASSERT_EQ(step.alone.size(), 1);
  EXPECT_EQ(step.alone[0].operation.operation, "aten::matmul");
  EXPECT_THAT(step.str(), HasSubstr("it is not pointwise"));
  EXPECT_EQ(node(graph, "aten::mul").pointwise, true);
  EXPECT_EQ(node(graph, "aten::matmul").pointwise, false);
}

TEST(TorchGraph, WithoutFusionThereIsNoGroup) {
  for (const Executor executor : {Executor::profiling, Executor::simple}) {
    const Graph graph =
        graph_of(chain(), Stage::optimized, {.configuration = {.fusion = false, .executor = executor}});
    expect_sound(graph);
    EXPECT_EQ(operations(graph, {}), Names({"aten::mul", "aten::add", "aten::relu", "aten::matmul"}));
    EXPECT_THAT(graph.text, Not(HasSubstr("TensorExpr")));
  }
}

TEST(TorchGraph, AFrozenModelIsOptimizedFromItsFrozenGraph) {
  const Options options{.configuration = {.freeze = true}};
  EXPECT_TRUE(node(graph_of(chain(), Stage::traced, options), "prim::GetAttr").attribute);
  const Graph graph = graph_of(chain(), Stage::optimized, options);
  for (const GraphNode& one : graph.nodes) EXPECT_NE(one.operation, "prim::GetAttr");
}

TEST(TorchGraph, BranchesAndLoopsHaveBlocks) {
  for (const Stage stage : {Stage::traced, Stage::frozen}) {
    const Graph branch = graph_of(chain(), stage, {.method = "branch"});
    expect_sound(branch);
    EXPECT_EQ(branch.method, "branch");
    EXPECT_EQ(node(branch, "aten::mul").block, 0);
    EXPECT_EQ(node(branch, "aten::neg").block, 1);
    const Graph loop = graph_of(chain(), stage, {.method = "loop"});
    expect_sound(loop);
    EXPECT_EQ(node(loop, "prim::Loop").blocks.at(0).inputs.size(), 2);
  }
}

TEST(TorchGraph, ALongTextIsNotCutWithinACharacter) {
  std::string text = "z";  // so that a cut after an odd number of bytes is one between characters
  for (int i = 0; i < 60; ++i) text += "\u00e4";
  for (const std::string& one : {text, text.substr(1)}) {
    torch::jit::Module module("__torch__.Text");
    module.define("def forward(self, x):\n  assert bool(x.sum() > 99), \"" + one + "\"\n  return x\n");
    std::size_t first = 0, second = 0;
    for (const auto& [name, held] : constants(graph_of(archive(module), Stage::traced))) {
      first += static_cast<std::size_t>(std::count(held.begin(), held.end(), '\xc3'));
      second += static_cast<std::size_t>(std::count(held.begin(), held.end(), '\xa4'));
    }
    EXPECT_GT(first, 20);
    EXPECT_EQ(first, second);
  }
}

TEST(TorchGraph, WhatIsWrittenHasItsPath) {
  const Graph graph = graph_of(chain(), Stage::traced, {.method = "count"});
  expect_sound(graph);
  const GraphNode& write = node(graph, "prim::SetAttr");
  EXPECT_EQ(write.attribute, "m1");
  EXPECT_EQ(write.inputs.size(), 1);
}

TEST(TorchGraph, InputsThatDoNotFitAreRefused) {
  const Model model = Model::load(chain());
  expect_error(ErrorCode::input, "x", [&] { model.graph(Stage::optimized, {}); });
  expect_error(ErrorCode::input, "the model cannot compute these inputs", [&] {
    model.graph(Stage::optimized, {from_torch(at::rand({3, 3}))});
  });
}

TEST(TorchGraph, LookingLeavesTheModelAsItIs) {
  const Model model = Model::load(chain(), {.configuration = {.fusion = true}});
  const std::vector<Tensor> x = square();
  const at::Tensor before = to_torch(model.predict(x).at(0)).clone();
  const std::string first = model.graph(Stage::optimized, x).text;
  EXPECT_EQ(model.graph(Stage::traced).text, model.graph(Stage::traced).text);
  EXPECT_THAT(first, HasSubstr("prim::TensorExprGroup"));
  // Compiled meanwhile, so not the same bits on every CPU.
  EXPECT_TRUE(before.allclose(to_torch(model.predict(x).at(0))));
}

}  // namespace
}  // namespace kit
