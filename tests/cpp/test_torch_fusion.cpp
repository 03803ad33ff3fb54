#include <sstream>

#include <ATen/ops/ones.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/irparser.h>
#include <torch/csrc/jit/passes/utils/subgraph_utils.h>

#include <kit/torch.h>

#include "archive_builder.h"
#include "engines/torch_fusion_plan.h"
#include "expect_error.h"

namespace kit {
namespace {

using test::expect_error;
using testing::ElementsAre;
using testing::HasSubstr;

using Names = std::vector<std::string>;
using Counts = std::pair<std::int64_t, std::int64_t>;
using Reasons = std::vector<std::pair<std::string, std::string>>;

/// The body of a method of `x` and `y`, in an archive that torch saves.
Archive archive_of(const std::string& body) {
  torch::jit::Module module("m");
  module.define("def forward(self, x, y):\n" + body);
  std::stringstream file;
  module.save(file);
  return Archive::from_bytes(test::bytes_of(file.str()), "plain.pt");
}

constexpr const char* chain = "  return torch.relu(x * y + y)\n";

Configuration fused(int static_depth = 1, int dynamic_depth = 0) {
  return {.fusion = true, .static_depth = static_depth, .dynamic_depth = dynamic_depth};
}

/// Inputs with these numbers of rows.
std::vector<std::vector<Tensor>> rows(const std::vector<int>& counts, at::ScalarType dtype = at::kFloat) {
  std::vector<std::vector<Tensor>> inputs;
  for (const int count : counts) {
    const at::Tensor x = at::ones({count, 3}, dtype);
    inputs.push_back({from_torch(x), from_torch(x)});
  }
  return inputs;
}

FusionReport report_of(const std::string& body, const std::vector<std::vector<Tensor>>& inputs, int calls = 3,
                       const Configuration& configuration = fused()) {
  return Model::load(archive_of(body), {.configuration = configuration}).fusion(inputs, calls);
}

Names operations(const FusionGroup& group) {
  Names names;
  for (const FusedOperation& one : group.operations) names.push_back(one.operation);
  return names;
}

Reasons reasons(const FusionReport& report) {
  Reasons found;
  for (const LeftOut& one : report.left_out) found.emplace_back(one.operation.operation, one.reason);
  return found;
}

TEST(TorchFusion, AChainIsOneGroupThatRunsFromTheSecondCallOn) {
  const FusionReport report = report_of(chain, rows({4}), 5);
  ASSERT_EQ(report.groups.size(), 1u);
  const FusionGroup& group = report.groups[0];
  EXPECT_EQ(group.name, "fused_mul_add_relu");
  EXPECT_THAT(operations(group), ElementsAre("aten::mul", "aten::add", "aten::relu"));
  ASSERT_TRUE(group.operations[0].line.has_value());
  EXPECT_EQ(group.operations[0].line->text, "return torch.relu(x * y + y)");
  EXPECT_EQ(group.inputs, Names(2, "Float(4, 3, strides=[3, 1], requires_grad=0, device=cpu)"));
  EXPECT_FALSE(group.dynamic);
  EXPECT_FALSE(group.instead_of.has_value());
  EXPECT_EQ(group.runs, 4);
  EXPECT_EQ(group.fallbacks, 0);
  EXPECT_TRUE(group.counted);
  EXPECT_EQ(group.language, "tensor expressions");
  EXPECT_THAT(group.source, HasSubstr("aten_relu"));
  EXPECT_TRUE(report.left_out.empty());
  EXPECT_EQ(report.calls, 5);
  EXPECT_EQ(report.compilations, 1);
  EXPECT_EQ(report.device, "cpu");
  EXPECT_FALSE(report.note.has_value());
}

TEST(TorchFusion, WhatDoesNotFitTheOneSizeFallsBackAndIsCounted) {
  const FusionReport report = report_of(chain, rows({4, 5}));
  ASSERT_EQ(report.groups.size(), 1u);
  EXPECT_EQ(report.groups[0].runs, 2);
  EXPECT_EQ(report.groups[0].fallbacks, 3);
  EXPECT_EQ(report.compilations, 1);
}

TEST(TorchFusion, AGroupForVaryingSizesRunsForAll) {
  const FusionReport report = report_of(chain, rows({4, 5}), 3, fused(0, 1));
  ASSERT_EQ(report.groups.size(), 1u);
  EXPECT_TRUE(report.groups[0].dynamic);
  EXPECT_EQ(report.groups[0].runs, 5);
  EXPECT_EQ(report.groups[0].fallbacks, 0);
  EXPECT_THAT(report.groups[0].source, HasSubstr("aten_relu"));
}

TEST(TorchFusion, EachFurtherSizeHasAGroupInPlaceOfTheOneBefore) {
  const FusionReport report = report_of(chain, rows({4, 5, 7, 8}), 3, fused(2, 1));
  ASSERT_EQ(report.groups.size(), 3u);
  const auto counts = [&](std::size_t i) {
    return Counts(report.groups[i].runs, report.groups[i].fallbacks);
  };
  EXPECT_EQ(counts(0), Counts(2, 9));
  EXPECT_EQ(counts(1), Counts(2, 6));
  EXPECT_EQ(counts(2), Counts(5, 0));
  EXPECT_EQ(report.groups[0].instead_of, std::nullopt);
  EXPECT_EQ(report.groups[1].instead_of, 0);
  EXPECT_EQ(report.groups[2].instead_of, 1);
  EXPECT_FALSE(report.groups[1].dynamic);
  EXPECT_TRUE(report.groups[2].dynamic);
  EXPECT_EQ(report.compilations, 3);
}

TEST(TorchFusion, GroupsOfOneNameAreToldApartByTheirOrder) {
  const FusionReport report =
      report_of("  a = torch.relu(x * 2)\n  b = torch.relu(torch.cumsum(a, 0) * 3)\n  return b\n", rows({4}));
  ASSERT_EQ(report.groups.size(), 2u);
  EXPECT_EQ(report.groups[0].name, report.groups[1].name);
  for (const FusionGroup& group : report.groups) {
    EXPECT_EQ(group.runs, 2);
    EXPECT_TRUE(group.counted);
  }
  EXPECT_EQ(reasons(report), (Reasons{{"aten::cumsum", "it is not pointwise"}}));
}

TEST(TorchFusion, AGroupInALoopRunsManyTimesInACall) {
  const FusionReport report = report_of(
      "  n = int(x.size(0))\n  for i in range(n):\n    x = torch.cumsum(torch.relu(x * y), 0)\n  return x\n",
      rows({3}), 2);
  // Torch has unrolled the loop eight times; what is left over runs in a loop of its own, the last.
  std::int64_t runs = 0;
  for (const FusionGroup& group : report.groups) runs += group.runs;
  EXPECT_EQ(runs, 3);
  EXPECT_EQ(report.groups.back().runs, 3);
  EXPECT_TRUE(report.groups.back().counted);
}

TEST(TorchFusion, OperationsAreLeftOutForTheReasonThatIsTheirs) {
  const FusionReport report = report_of(
      "  a = torch.matmul(x.t(), y)\n"
      "  b = torch.sigmoid(a)\n"
      "  c = torch.sum(b, 1)\n"
      "  c.mul_(2)\n"
      "  return c\n",
      rows({4}));
  EXPECT_TRUE(report.groups.empty());
  EXPECT_EQ(reasons(report),
            (Reasons{{"aten::t", "it is not pointwise"},
                     {"aten::matmul",
                      "it is not pointwise, and its sizes and strides are none that torch's fuser takes"},
                     {"aten::sigmoid",
                      "it is alone: nothing beside it can be fused, and a group has two operations or more"},
                     {"aten::sum", "it is not pointwise"},
                     {"aten::mul_", "it changes a tensor in place"}}));
}

TEST(TorchFusion, AMatrixProductStaysOutOfAGroupForVaryingSizes) {
  const std::string body = "  return torch.matmul(torch.relu(x * y), y.t().contiguous())\n";
  const FusionReport fixed = report_of(body, rows({4}));
  ASSERT_EQ(fixed.groups.size(), 1u);
  EXPECT_EQ(fixed.groups[0].name, "fused_mul_relu_matmul");
  const FusionReport varying = report_of(body, rows({4}), 3, fused(0, 1));
  ASSERT_EQ(varying.groups.size(), 1u);
  EXPECT_EQ(varying.groups[0].name, "fused_mul_relu");
  EXPECT_EQ(reasons(varying).back(),
            (std::pair<std::string, std::string>(
                "aten::matmul", "it is not pointwise, and on the CPU it is fused for fixed sizes alone")));
}

TEST(TorchFusion, SomeDtypesAreNotFused) {
  for (const at::ScalarType dtype : {at::kFloat, at::kDouble, at::kLong, at::kInt})
    EXPECT_EQ(report_of(chain, rows({4}, dtype)).groups.size(), 1u) << dtype;
  const std::vector<std::pair<at::ScalarType, std::string>> refused = {
      {at::kHalf, "torch's fuser takes no float16 on the CPU"},
      {at::kBFloat16, "torch's fuser takes no bfloat16 on the CPU"},
      {at::kByte, "torch's fuser takes no uint8"},
      {at::kComplexFloat, "torch's fuser takes no complex64"}};
  for (const auto& [dtype, reason] : refused) {
    const FusionReport report = report_of("  return x * y + y\n", rows({4}, dtype));
    EXPECT_TRUE(report.groups.empty()) << dtype;
    EXPECT_EQ(reasons(report), (Reasons{{"aten::mul", reason}, {"aten::add", reason}}));
  }
}

TEST(TorchFusion, WhereNothingCanBeFusedTheReportSaysWhy) {
  const auto note = [&](int calls, const Configuration& configuration) {
    const FusionReport report = report_of(chain, rows({4}), calls, configuration);
    EXPECT_TRUE(report.groups.empty() && report.left_out.empty());
    return report.note.value_or("");
  };
  EXPECT_EQ(note(3, {}), "fusion is off");
  EXPECT_EQ(note(3, {.executor = Executor::simple}), "the simple executor fuses nothing");
  EXPECT_THAT(note(3, fused(0, 0)), HasSubstr("depth are both 0"));
  EXPECT_THAT(note(1, fused()), HasSubstr("give 2 calls or more"));
}

TEST(TorchFusion, TheModelItselfStaysAsItIs) {
  const Model model = Model::load(archive_of(chain), {.configuration = fused()});
  const FusionReport first = model.fusion(rows({4}), 3);
  const FusionReport second = model.fusion(rows({5}), 3);
  EXPECT_THAT(second.groups.at(0).inputs.at(0), HasSubstr("Float(5, 3"));
  EXPECT_EQ(second.compilations, first.compilations);
}

TEST(TorchFusion, NothingToRunIsAnError) {
  const Model model = Model::load(archive_of(chain), {.configuration = fused()});
  expect_error(ErrorCode::usage, "give inputs, and 1 call or more", [&] { model.fusion({}, 3); });
  expect_error(ErrorCode::usage, "give inputs, and 1 call or more", [&] { model.fusion(rows({4}), 0); });
  const at::Tensor x = at::ones({4, 3});
  expect_error(ErrorCode::input, "the model cannot compute these inputs", [&] {
    model.fusion({{from_torch(x), from_torch(at::ones({2, 2}))}}, 3);
  });
}

void groups_of_relus(torch::jit::Block& block) {
  std::vector<torch::jit::Node*> found;
  for (torch::jit::Node* node : block.nodes()) {
    if (node->kind() == c10::aten::relu) found.push_back(node);
    for (torch::jit::Block* inner : node->blocks()) groups_of_relus(*inner);
  }
  for (torch::jit::Node* node : found)
    torch::jit::SubgraphUtils::createSingletonSubgraph(node, c10::prim::TensorExprGroup);
}

/// The plan of a graph in which each relu is a group.
FusionPlan plan_of(const std::string& body) {
  const auto graph = std::make_shared<torch::jit::Graph>();
  torch::jit::parseIR("graph(%x : Tensor, %c : bool, %n : int):\n" + body, graph.get());
  groups_of_relus(*graph->block());
  return FusionPlan(graph);
}

std::vector<FusionTrace::Event> relus(std::size_t count) {
  return std::vector<FusionTrace::Event>(count, {"fused_relu", nullptr});
}

using Sites = std::set<std::size_t>;

TEST(TorchFusion, GroupsInBranchesAreToldApartOnlyWhereTheOrderTells) {
  const FusionPlan plan = plan_of(R"(
  %y : Tensor = aten::relu(%x)
  %z : Tensor = prim::If(%c)
    block0():
      %p : Tensor = aten::relu(%y)
      -> (%p)
    block1():
      %q : Tensor = aten::relu(%y)
      -> (%q)
  return (%z)
)");
  ASSERT_EQ(plan.sites().size(), 3u);
  EXPECT_THAT(plan.match(relus(2)), ElementsAre(Sites{0}, Sites{1, 2}));
  EXPECT_THAT(plan.match(relus(1)), ElementsAre(Sites{})) << "one of the branches must have run";
  EXPECT_THAT(plan.match({}), ElementsAre());
}

TEST(TorchFusion, AGroupInALoopMatchesAnyNumberOfRuns) {
  const FusionPlan plan = plan_of(R"(
  %y : Tensor = prim::Loop(%n, %c, %x)
    block0(%i : int, %s : Tensor):
      %p : Tensor = aten::relu(%s)
      -> (%c, %p)
  %z : Tensor = aten::relu(%y)
  return (%z)
)");
  EXPECT_THAT(plan.match(relus(3)), ElementsAre(Sites{0}, Sites{0}, Sites{1}));
  EXPECT_THAT(plan.match(relus(1)), ElementsAre(Sites{1}));
  EXPECT_THAT(plan.match({{"fused_tanh", nullptr}}), ElementsAre(Sites{1}))
      << "the place tells where no name does";
}

}  // namespace
}  // namespace kit
