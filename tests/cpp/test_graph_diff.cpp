#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <kit/graph_diff.h>

namespace kit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using Names = std::vector<std::string>;

/// A graph that is written down node by node.
class Draft {
 public:
  explicit Draft(Stage stage, const Names& inputs = {"x"}) {
    graph_.stage = stage;
    for (const std::string& input : inputs) graph_.inputs.push_back({input, "Tensor"});
  }

  Draft& op(const std::string& operation, const Names& inputs, const Names& outputs) {
    GraphNode node{.operation = operation, .inputs = inputs};
    for (const std::string& output : outputs) node.outputs.push_back({output, "Tensor"});
    node.group = group_;
    if (parent_) node.parent = parent_, node.block = block_;
    graph_.nodes.push_back(std::move(node));
    return *this;
  }
  Draft& op(const std::string& operation, const Names& inputs, const std::string& output) {
    return op(operation, inputs, Names{output});
  }
  Draft& constant(const std::string& output, const std::string& text, const std::string& weight = "") {
    op("prim::Constant", {}, output);
    graph_.nodes.back().constant = text;
    if (!weight.empty()) graph_.nodes.back().attribute = weight;
    return *this;
  }
  Draft& weight(const std::string& output, const std::string& path) {
    op("prim::GetAttr", {}, output);
    graph_.nodes.back().attribute = path;
    return *this;
  }

  Draft& no_pointwise() {
    graph_.nodes.back().pointwise = false;
    return *this;
  }

  /// What follows is in a block of the last node, or of the one around it; or in a fused group.
  Draft& in(int block, const Names& gives) {
    if (block == 0) parent_ = static_cast<int>(graph_.nodes.size()) - 1;
    block_ = block;
    graph_.nodes[static_cast<std::size_t>(*parent_)].blocks.push_back({{}, gives});
    return *this;
  }
  Draft& out() {
    parent_.reset();
    return *this;
  }
  Draft& group(std::optional<int> number) {
    group_ = number;
    return *this;
  }

  Graph gives(const Names& outputs) {
    graph_.outputs = outputs;
    return graph_;
  }

 private:
  Graph graph_;
  std::optional<int> group_;
  std::optional<int> parent_;
  int block_ = 0;
};

Draft traced(const Names& inputs = {"x"}) { return Draft(Stage::traced, inputs); }
Draft frozen(const Names& inputs = {"x"}) { return Draft(Stage::frozen, inputs); }
Draft optimized(const Names& inputs = {"x"}) { return Draft(Stage::optimized, inputs); }

Names names(const std::vector<DiffOperation>& operations) {
  Names result;
  for (const DiffOperation& one : operations) result.push_back(one.operation);
  return result;
}

TEST(GraphDiff, OfAGraphAndItselfIsEmpty) {
  const Graph graph =
      traced().weight("w", "w").op("aten::mul", {"x", "w"}, "y").op("aten::relu", {"y"}, "z").gives({"z"});
  const GraphDiff same = diff(graph, graph);
  EXPECT_EQ(same.str(), "from traced, 2 operations, to traced, 2 operations\n  in both: 2 operations\n");
}

TEST(GraphDiff, NamesWhatNothingUsedAndWhatWasFolded) {
  const Graph before = traced()
                           .constant("a", "7")
                           .constant("b", "11")
                           .constant("c", "2")
                           .op("aten::add", {"a", "b"}, "18")
                           .op("aten::add", {"18", "c"}, "20")
                           .op("aten::sum", {"x"}, "unused")
                           .op("aten::neg", {"unused"}, "unused2")
                           .op("aten::add", {"x", "20"}, "y")
                           .gives({"y"});
  const Graph after = frozen({"x.1"}).constant("9", "20").op("aten::add", {"x.1", "9"}, "r").gives({"r"});
  const GraphDiff step = diff(before, after);
  EXPECT_THAT(names(step.removed), ElementsAre("aten::sum", "aten::neg"));
  ASSERT_EQ(step.folded.size(), 1);
  EXPECT_EQ(step.folded[0].expression, "aten::add(aten::add(7, 11), 2)");
  EXPECT_EQ(step.folded[0].constant, "20");
  EXPECT_EQ(step.folded[0].value, "9");
  EXPECT_EQ(names(step.folded[0].operations), Names({"aten::add", "aten::add"}));
  EXPECT_EQ(step.unchanged, 1);
  EXPECT_THAT(step.rewritten, testing::IsEmpty());
  EXPECT_THAT(step.added, testing::IsEmpty());
  const std::string words = step.str();
  EXPECT_THAT(words, HasSubstr("from traced, 5 operations, to frozen, 1 operation\n"));
  EXPECT_THAT(words, HasSubstr("removed, as nothing uses it: aten::sum (%unused)\n"));
  EXPECT_THAT(words, HasSubstr("folded into the constant 20 (%9): aten::add(aten::add(7, 11), 2)\n"));
}

TEST(GraphDiff, FollowsValuesThroughTuples) {
  const Graph before = traced()
                           .constant("zero", "0")
                           .op("aten::relu", {"x"}, "a")
                           .op("aten::sum", {"x"}, "b")
                           .op("prim::TupleConstruct", {"a", "b"}, "t")
                           .op("prim::TupleIndex", {"t", "zero"}, "c")
                           .op("aten::neg", {"c"}, "d")
                           .gives({"d"});
  const Graph after = frozen().op("aten::relu", {"x"}, "a").op("aten::neg", {"a"}, "d").gives({"d"});
  const GraphDiff step = diff(before, after);
  EXPECT_EQ(names(step.removed), Names({"aten::sum"}));
  EXPECT_EQ(step.unchanged, 2);
}

TEST(GraphDiff, NamesWeightsThatBecameConstants) {
  const Graph before = traced()
                           .weight("w", "linear.weight")
                           .weight("b", "linear.bias")
                           .op("aten::linear", {"x", "w", "b"}, "y")
                           .gives({"y"});
  const Graph after = frozen()
                          .constant("b", "Float(8) tensor", "linear.bias")
                          .constant("w", "Float(8, 3) tensor", "linear.weight")
                          .op("aten::linear", {"x", "w", "b"}, "y")
                          .gives({"y"});
  const GraphDiff step = diff(before, after);
  EXPECT_THAT(step.weights, ElementsAre("linear.bias", "linear.weight"));
  EXPECT_EQ(step.unchanged, 1);
  EXPECT_THAT(step.folded, testing::IsEmpty());
}

TEST(GraphDiff, DoesNotTakeOneWeightForAnother) {
  const auto graph = [](Draft draft, const std::string& first, const std::string& second) {
    return draft.weight("v", first).weight("w", second).op("aten::sub", {"v", "w"}, "y").gives({"y"});
  };
  const GraphDiff swapped = diff(graph(traced(), "a", "b"), graph(optimized(), "b", "a"));
  EXPECT_EQ(swapped.unchanged, 0);
}

TEST(GraphDiff, TellsLeftOutOperationsFromRewrittenOnes) {
  const Graph before = traced()
                           .weight("w", "conv.weight")
                           .weight("g", "bn.weight")
                           .op("aten::conv2d", {"x", "w"}, "1")
                           .op("aten::batch_norm", {"1", "g"}, "2")
                           .op("aten::relu", {"2"}, "3")
                           .op("aten::dropout", {"3"}, "4")
                           .op("aten::neg", {"4"}, "5")
                           .gives({"5"});
  const Graph after = frozen()
                          .constant("w", "Float(8, 3) tensor")
                          .op("aten::conv2d", {"x", "w"}, "1")
                          .op("aten::relu", {"1"}, "2")
                          .op("aten::neg", {"2"}, "3")
                          .gives({"3"});
  const GraphDiff step = diff(before, after);
  ASSERT_EQ(step.rewritten.size(), 1);
  EXPECT_EQ(names(step.rewritten[0].before), Names({"aten::conv2d", "aten::batch_norm"}));
  EXPECT_EQ(names(step.rewritten[0].after), Names({"aten::conv2d"}));
  EXPECT_TRUE(step.rewritten[0].weights);
  EXPECT_EQ(names(step.left_out), Names({"aten::dropout"}));
  EXPECT_EQ(step.unchanged, 2);
  EXPECT_THAT(
      step.str(),
      HasSubstr(
          "rewritten: aten::conv2d (%1), aten::batch_norm (%2) became aten::conv2d (%1) with other weights"));
}

TEST(GraphDiff, PairsWhatWasRewrittenWithWhatStandsThere) {
  const Graph before = traced()
                           .weight("w", "w")
                           .weight("b", "b")
                           .op("aten::addmm", {"b", "x", "w"}, "1")
                           .op("aten::relu", {"1"}, "2")
                           .gives({"2"});
  const Graph after = optimized()
                          .weight("w", "w")
                          .weight("b", "b")
                          .op("aten::mm", {"x", "w"}, "1")
                          .op("aten::add", {"1", "b"}, "2")
                          .op("aten::relu", {"2"}, "3")
                          .gives({"3"});
  const GraphDiff step = diff(before, after);
  ASSERT_EQ(step.rewritten.size(), 1);
  EXPECT_EQ(names(step.rewritten[0].before), Names({"aten::addmm"}));
  EXPECT_EQ(names(step.rewritten[0].after), Names({"aten::mm", "aten::add"}));
  EXPECT_FALSE(step.rewritten[0].weights);
  EXPECT_EQ(step.unchanged, 1);
  EXPECT_THAT(step.added, testing::IsEmpty());
}

TEST(GraphDiff, MergesEqualOperations) {
  const Graph before = traced()
                           .op("aten::tanh", {"x"}, "1")
                           .op("aten::tanh", {"x"}, "2")
                           .op("aten::mul", {"1", "2"}, "3")
                           .gives({"3"});
  const Graph after = optimized().op("aten::tanh", {"x"}, "1").op("aten::mul", {"1", "1"}, "2").gives({"2"});
  const GraphDiff step = diff(before, after);
  EXPECT_EQ(names(step.merged), Names({"aten::tanh"}));
  EXPECT_EQ(step.unchanged, 2);
}

TEST(GraphDiff, NamesGroupsWhatIsInThemAndWhatGuardsThem) {
  const Graph before = traced({"x", "y"})
                           .op("aten::mul", {"x", "y"}, "1")
                           .op("aten::relu", {"1"}, "2")
                           .op("aten::matmul", {"2", "y"}, "3")
                           .gives({"3"});
  const Graph after = optimized({"x", "y"})
                          .op("prim::TypeCheck", {"x", "y"}, Names{"tx", "ty", "ok"})
                          .op("prim::If", {"ok"}, "if")
                          .in(0, {"g"})
                          .group(0)
                          .op("aten::mul", {"tx", "ty"}, "g0.1")
                          .op("aten::relu", {"g0.1"}, "g")
                          .group({})
                          .in(1, {"f"})
                          .constant("fn", "fallback_function")
                          .op("prim::CallFunction", {"fn", "x", "y"}, "t")
                          .op("prim::TupleUnpack", {"t"}, "f")
                          .out()
                          .op("aten::matmul", {"if", "y"}, "r")
                          .no_pointwise()
                          .gives({"r"});
  const GraphDiff step = diff(before, after);
  EXPECT_EQ(step.unchanged, 3);
  ASSERT_EQ(step.fused.size(), 1);
  EXPECT_EQ(step.fused[0].group, 0);
  EXPECT_EQ(names(step.fused[0].operations), Names({"aten::mul", "aten::relu"}));
  ASSERT_EQ(step.alone.size(), 1);
  EXPECT_EQ(step.alone[0].operation.operation, "aten::matmul");
  ASSERT_EQ(step.added.size(), 3);
  EXPECT_EQ(step.added[0].operation.operation, "prim::TypeCheck");
  EXPECT_THAT(step.added[0].purpose, HasSubstr("checks the types"));
  EXPECT_THAT(step.added[1].purpose, HasSubstr("else its fallback"));
  EXPECT_EQ(step.added[2].operation.operation, "prim::CallFunction");
  EXPECT_THAT(step.added[2].purpose, HasSubstr("one by one"));
  EXPECT_THAT(step.str(), HasSubstr("fused into group 0: aten::mul, aten::relu\n  in no group: aten::matmul "
                                    "(%r), it is not pointwise\n"));
}

TEST(GraphDiff, KeepsWhatHasAnEffect) {
  const Graph before =
      traced().op("aten::add_", {"x", "x"}, "unused").op("aten::relu", {"x"}, "y").gives({"y"});
  const Graph after = frozen().op("aten::relu", {"x"}, "y").gives({"y"});
  const GraphDiff step = diff(before, after);
  EXPECT_THAT(step.removed, testing::IsEmpty());
  ASSERT_EQ(step.rewritten.size(), 1);
  EXPECT_EQ(names(step.rewritten[0].before), Names({"aten::add_"}));
  EXPECT_THAT(step.str(), HasSubstr("rewritten: aten::add_ (%unused): no operation"));
}

TEST(GraphDiff, KeepsWhatFillsAList) {
  const Graph before = traced()
                           .op("prim::ListConstruct", {}, "l")
                           .op("aten::relu", {"x"}, "y")
                           .op("aten::append", {"l", "y"}, "l1")
                           .op("aten::stack", {"l"}, "z")
                           .gives({"z"});
  const Graph after = optimized()
                          .op("aten::relu", {"x"}, "y")
                          .op("prim::ListConstruct", {"y"}, "l")
                          .op("aten::stack", {"l"}, "z")
                          .gives({"z"});
  EXPECT_THAT(names(diff(before, after).removed), ElementsAre());
}

TEST(GraphDiff, ANumberIsNoWeight) {
  const Graph before = traced({"x", "y"})
                           .constant("three", "3")
                           .constant("two", "2")
                           .op("aten::mul", {"x", "three"}, "a")
                           .op("aten::mul", {"y", "two"}, "b")
                           .gives({"a", "b"});
  const Graph after = optimized({"x", "y"})
                          .constant("two", "2")
                          .op("aten::mul", {"y", "two"}, "b")
                          .op("aten::relu", {"x"}, "a")
                          .gives({"a", "b"});
  const GraphDiff found = diff(before, after);
  EXPECT_EQ(found.unchanged, 1);
  EXPECT_THAT(found.str(), Not(HasSubstr("other weights")));
}

TEST(GraphDiff, CopiesInAGroupAreNoSizes) {
  const Graph before = traced().op("aten::tanh", {"x"}, "y").gives({"y"});
  const Graph after = optimized()
                          .op("prim::TypeCheck", {"x"}, Names{"x1", "holds"})
                          .op("prim::If", {"holds"}, "z")
                          .in(0, {"y2"})
                          .group(0)
                          .op("aten::tanh", {"x1"}, "y1")
                          .op("aten::tanh", {"y1"}, "y2")
                          .group({})
                          .in(1, {"x"})
                          .out()
                          .gives({"z"});
  EXPECT_THAT(diff(before, after).str(), Not(HasSubstr("tells the group its sizes")));
}

TEST(GraphDiff, FollowsABranchThatIsNoLongerAQuestion) {
  const Graph before = traced()
                           .weight("flag", "flag")
                           .op("prim::If", {"flag"}, "if")
                           .in(0, {"1"})
                           .op("aten::relu", {"x"}, "1")
                           .in(1, {"2"})
                           .op("aten::neg", {"x"}, "2")
                           .out()
                           .op("aten::tanh", {"if"}, "3")
                           .gives({"3"});
  const Graph after = frozen().op("aten::relu", {"x"}, "1").op("aten::tanh", {"1"}, "2").gives({"2"});
  const GraphDiff step = diff(before, after);
  EXPECT_EQ(step.unchanged, 2);
  EXPECT_EQ(names(step.left_out), Names({"prim::If"}));
}

TEST(GraphDiff, JsonHasTheSameAsTheWords) {
  const Graph before = traced()
                           .constant("a", "1")
                           .op("aten::neg", {"a"}, "b")
                           .op("aten::sum", {"x"}, "s")
                           .op("aten::add", {"x", "b"}, "y")
                           .gives({"y"});
  const Graph after = frozen().constant("c", "-1").op("aten::add", {"x", "c"}, "y").gives({"y"});
  const nlohmann::json document = nlohmann::json::parse(diff(before, after).json());
  EXPECT_EQ(document["before"], "traced");
  EXPECT_EQ(document["after"], "frozen");
  EXPECT_EQ(document["operations_before"], 3);
  EXPECT_EQ(document["operations_after"], 1);
  EXPECT_EQ(document["unchanged"], 1);
  EXPECT_EQ(document["removed"], nlohmann::json::parse(R"([{"operation": "aten::sum", "value": "s"}])"));
  EXPECT_EQ(document["folded"],
            nlohmann::json::parse(R"_([{"operations": [{"operation": "aten::neg", "value": "b"}],
    "expression": "aten::neg(1)", "constant": "-1", "value": "c"
}])_"));
  EXPECT_TRUE(document["added"].empty());
}

}  // namespace
}  // namespace kit
