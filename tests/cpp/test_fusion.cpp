#include <kit/fusion.h>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace kit {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

CodeLine line_of(int number) { return {"code/__torch__/model.py", number, "_" + std::to_string(number)}; }

/// Two groups, the second in place of the first, and three operations that are left out.
FusionReport report() {
  FusionReport report;
  report.method = "forward";
  report.device = "cuda:0";
  report.torch = "2.13.0";
  report.configuration = {.fusion = true, .static_depth = 1};
  report.sizes = {{{"batch", 2}, {"length", 7}}, {}};
  report.calls = 8;
  report.compilations = 1;
  FusionGroup group;
  group.name = "fused_mul_relu";
  group.operations = {{"aten::mul", line_of(3)}, {"aten::relu", std::nullopt}};
  group.inputs = {"Float(2, 3, strides=[3, 1], device=cuda:0)"};
  group.runs = 3;
  group.fallbacks = 1;
  group.language = "CUDA C++";
  group.source = "extern \"C\"\n\nvoid f() {}\n";
  report.groups.push_back(group);
  group.instead_of = 0;
  group.dynamic = true;
  group.counted = false;
  report.groups.push_back(group);
  report.left_out = {{{"aten::linear", line_of(5)}, "it is not pointwise", std::nullopt},
                     {{"aten::linear", line_of(6)}, "it is not pointwise", std::nullopt},
                     {{"aten::linear", line_of(6)}, "it is not pointwise", 1}};
  return report;
}

TEST(Fusion, JsonHasTheFieldsAndLeavesOutWhatIsNotSet) {
  const json root = json::parse(report().json());
  EXPECT_EQ(root["method"], "forward");
  EXPECT_EQ(root["device"], "cuda:0");
  EXPECT_EQ(root["torch"], "2.13.0");
  EXPECT_EQ(root["configuration"], (json{{"fusion", true}, {"static_depth", 1}}));
  EXPECT_EQ(root["sizes"], json::parse(R"([{"batch": 2, "length": 7}, {}])"));
  EXPECT_EQ(root["calls"], 8);
  EXPECT_EQ(root["compilations"], 1);
  EXPECT_FALSE(root.contains("note"));
  const json& first = root["groups"][0];
  EXPECT_EQ(first["operations"], json::parse(R"([{"operation": "aten::mul",
                             "line": {"file": "code/__torch__/model.py", "line": 3, "text": "_3"}},
                            {"operation": "aten::relu"}])"));
  EXPECT_FALSE(first.contains("instead_of"));
  EXPECT_EQ(first["runs"], 3);
  EXPECT_EQ(first["fallbacks"], 1);
  EXPECT_EQ(first["counted"], true);
  EXPECT_EQ(first["dynamic"], false);
  EXPECT_EQ(first["source"], report().groups[0].source);
  EXPECT_EQ(root["groups"][1]["instead_of"], 0);
  EXPECT_EQ(root["left_out"][0]["reason"], "it is not pointwise");
  EXPECT_EQ(root["left_out"][2]["instead_of"], 1);
}

TEST(Fusion, JsonOfNothingHasEmptyListsAndTheNote) {
  FusionReport nothing;
  nothing.note = "fusion is off";
  const json root = json::parse(nothing.json());
  EXPECT_EQ(root["groups"], json::array());
  EXPECT_EQ(root["left_out"], json::array());
  EXPECT_EQ(root["note"], "fusion is off");
}

TEST(Fusion, TheTableNamesGroupsAndCountsWhatIsLeftOutForOneReason) {
  const std::string text = report().str();
  EXPECT_THAT(text, HasSubstr("sizes          batch 2, length 7; fixed\n"));
  EXPECT_THAT(text, HasSubstr("calls          8, in which 1 graph was compiled\n"));
  EXPECT_THAT(text, HasSubstr("group 0        fused_mul_relu, for one size\n"));
  EXPECT_THAT(text, HasSubstr("ran 3 times, did not fit 1 time\n"));
  EXPECT_THAT(text, HasSubstr("aten::mul         code/__torch__/model.py:3  _3\n"));
  EXPECT_THAT(text, HasSubstr("group 1        fused_mul_relu, for varying sizes, in place of group 0\n"));
  EXPECT_THAT(text, HasSubstr("ran at least 3 times, did not fit at least 1 time\n"));
  EXPECT_THAT(text, HasSubstr("left out       2 x aten::linear: it is not pointwise\n"
                              "                 code/__torch__/model.py:5, code/__torch__/model.py:6\n"
                              "               aten::linear: it is not pointwise, in place of group 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("void f()")));
}

TEST(Fusion, TheTableHasTheGeneratedCodeWhereItIsAskedFor) {
  EXPECT_THAT(report().str(true), HasSubstr("               CUDA C++:\n"
                                            "               | extern \"C\"\n"
                                            "               | void f() {}\n"));
}

TEST(Fusion, TheTableSaysWhyThereIsNothing) {
  FusionReport nothing;
  EXPECT_THAT(nothing.str(), HasSubstr("groups         none\n"));
  nothing.note = "fusion is off";
  EXPECT_THAT(nothing.str(), HasSubstr("groups         none: fusion is off\n"));
}

}  // namespace
}  // namespace kit
