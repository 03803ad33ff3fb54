#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <kit/graph.h>

#include "expect_error.h"

namespace kit {
namespace {

using nlohmann::json;
using test::expect_error;

TEST(Graph, StagesHaveNames) {
  for (const Stage stage : {Stage::traced, Stage::frozen, Stage::optimized})
    EXPECT_EQ(stage_from_name(name(stage)), stage);
  expect_error(ErrorCode::usage, "there is no stage 'fused'; give traced, frozen or optimized",
               [] { stage_from_name("fused"); });
  expect_error(ErrorCode::usage, "there is no stage ''", [] { stage_from_name(""); });
}

TEST(Graph, JsonHasWhatIsSet) {
  Graph graph;
  graph.stage = Stage::optimized;
  graph.method = "forward";
  graph.text = "graph(%x \"\n";
  graph.inputs = {{"x", "Tensor"}};
  graph.outputs = {"y"};
  graph.nodes.push_back({.operation = "prim::Constant", .outputs = {{"c", "int"}}, .constant = "20"});
  graph.nodes.push_back({.operation = "aten::relu",
                         .inputs = {"x"},
                         .outputs = {{"y", "Tensor"}},
                         .line = CodeLine{"a.py", 3, "x"},
                         .group = 0});
  const json document = json::parse(graph.json());
  EXPECT_EQ(document, json::parse(R"({
    "stage": "optimized", "method": "forward", "text": "graph(%x \"\n",
    "inputs": [{"name": "x", "type": "Tensor"}], "outputs": ["y"],
    "nodes": [
      {"operation": "prim::Constant", "inputs": [], "outputs": [{"name": "c", "type": "int"}],
       "constant": "20", "block": 0},
      {"operation": "aten::relu", "inputs": ["x"], "outputs": [{"name": "y", "type": "Tensor"}],
       "line": {"file": "a.py", "line": 3, "text": "x"}, "group": 0, "block": 0}]})"));
}

TEST(Graph, JsonHasBlocks) {
  Graph graph;
  graph.nodes.push_back({.operation = "prim::Loop", .blocks = {{{{"i", "int"}}, {"go"}}}});
  graph.nodes.push_back({.operation = "aten::relu", .parent = 0, .block = 1});
  const json nodes = json::parse(graph.json())["nodes"];
  EXPECT_EQ(nodes[0]["blocks"],
            json::parse(R"([{"inputs": [{"name": "i", "type": "int"}], "outputs": ["go"]}])"));
  EXPECT_FALSE(nodes[0].contains("parent"));
  EXPECT_EQ(nodes[1]["parent"], 0);
  EXPECT_EQ(nodes[1]["block"], 1);
  EXPECT_FALSE(nodes[1].contains("blocks"));
}

TEST(Graph, JsonSurvivesBytesThatAreNoText) {
  Graph graph;
  graph.text = "\xff";
  EXPECT_EQ(json::parse(graph.json())["text"], "\xEF\xBF\xBD");
}

}  // namespace
}  // namespace kit
