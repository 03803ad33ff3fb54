#include "bench/comparison.h"

#include <functional>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <kit/error.h>

#include "bench/result.h"

namespace kit::bench {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

Result sample() {
  Result result;
  result.conditions.cpu = "some CPU";
  result.conditions.model = "mlp";
  result.conditions.method = "forward";
  result.conditions.signature = "(x) -> (y)";
  result.conditions.configuration = "{}";
  const Sizes one{{"batch", 1}};
  result.start = {one, 5, {{"archive", {0.001, 0.0009, 0.0012}}}};
  result.latency.push_back({one, {.median = {2e-6, 1.9e-6, 2.2e-6}}});
  result.throughput.push_back({{{"batch", 64}}, 64, 2, {{1000, 900, 1100}, true, 1}});
  result.memory.push_back({one, Interval{5e6, 5e6, 5e6}});
  return result;
}

std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    return error.what();
  }
  return "no error";
}

TEST(Comparison, AResultOverItself) {
  const json document = sample().json();
  const Comparison comparison = compare_results(document, document, "old.json");
  ASSERT_EQ(comparison.ratios.size(), 4U);
  for (const Ratio& one : comparison.ratios) {
    EXPECT_DOUBLE_EQ(one.ratio.median, 1) << one.figure;
    EXPECT_TRUE(one.may_be_chance()) << one.figure;
  }
  EXPECT_TRUE(comparison.missing.empty());
  EXPECT_TRUE(comparison.changes.empty());
  EXPECT_TRUE(comparison.beyond(1.10).empty());
}

TEST(Comparison, MoreTimeLessThroughputAndMoreMemoryAreAboveOne) {
  const json old = sample().json();
  Result now = sample();
  now.start.parts["archive"] = {0.0011, 0.001, 0.0013};
  now.latency[0].latency.median = {4e-6, 3.9e-6, 4.2e-6};
  now.throughput[0].throughput.rate = {500, 490, 510};
  now.memory[0].bytes = Interval{4e6, 4e6, 4e6};
  const Comparison comparison = compare_results(old, now.json(), "old.json");
  std::map<std::string, Interval> ratios;
  for (const Ratio& one : comparison.ratios) ratios[one.figure] = one.ratio;
  EXPECT_DOUBLE_EQ(ratios.at("start, archive, batch = 1").median, 1.1);
  EXPECT_DOUBLE_EQ(ratios.at("latency, batch = 1").median, 2);
  EXPECT_DOUBLE_EQ(ratios.at("latency, batch = 1").low, 3.9 / 2.2);
  EXPECT_DOUBLE_EQ(ratios.at("latency, batch = 1").high, 4.2 / 1.9);
  EXPECT_DOUBLE_EQ(ratios.at("throughput, batch = 64, threads = 2").median, 2);
  EXPECT_DOUBLE_EQ(ratios.at("throughput, batch = 64, threads = 2").low, 900.0 / 510);
  EXPECT_DOUBLE_EQ(ratios.at("throughput, batch = 64, threads = 2").high, 1100.0 / 490);
  EXPECT_DOUBLE_EQ(ratios.at("memory, batch = 1").median, 0.8);
  std::vector<std::string> beyond;
  for (const Ratio& one : comparison.beyond(1.2)) beyond.push_back(one.figure);
  EXPECT_THAT(beyond, ElementsAre("latency, batch = 1", "throughput, batch = 64, threads = 2"));
}

TEST(Comparison, SaysWhatIsMissingAndWhatChanged) {
  const json old = sample().json();
  Result now = sample();
  now.conditions.cpu = "another CPU";
  now.latency[0].sizes = {{"batch", 2}};
  now.memory[0].bytes = std::nullopt;
  const Comparison comparison = compare_results(old, now.json(), "old.json");
  EXPECT_EQ(comparison.ratios.size(), 2U);
  EXPECT_THAT(comparison.missing,
              ElementsAre("latency, batch = 2: only now", "latency, batch = 1: not any more",
                          "memory, batch = 1: not any more"));
  EXPECT_THAT(comparison.changes, ElementsAre("CPU: some CPU, now another CPU"));
}

TEST(Comparison, ReadsNothingButAResultOfItsVersion) {
  json document = sample().json();
  EXPECT_EQ(parse_result(document.dump(), "old.json"), document);
  document["version"] = result_version + 1;
  EXPECT_THAT(refusal([&] { parse_result(document.dump(), "old.json"); }), HasSubstr("another version"));
  for (const char* text : {"", "{", "[]", "{}", "3", R"({"format":"other"})", R"({"format":["kit-bench"]})",
                           "\xFF\xFE", R"({"format":"kit-bench"})"})
    EXPECT_THAT(refusal([&] { parse_result(text, "old.json"); }), HasSubstr("old.json is ")) << text;
}

TEST(Comparison, RefusesAnotherModelAndADamagedResult) {
  json document = sample().json();
  check_same_model(document, "old.json", "mlp", "forward", "(x) -> (y)");
  EXPECT_THAT(refusal([&] { check_same_model(document, "old.json", "cnn", "forward", "(x) -> (y)"); }),
              HasSubstr("old.json is of another model: its name is mlp, and this one's is cnn"));
  EXPECT_THAT(refusal([&] { check_same_model(document, "old.json", "mlp", "encode", "(x) -> (y)"); }),
              HasSubstr("method"));
  EXPECT_THAT(refusal([&] { check_same_model(document, "old.json", "mlp", "forward", "(z) -> (y)"); }),
              HasSubstr("signature"));
  const json now = document;
  for (const char* key : {"model", "latency", "start", "host"}) {
    json damaged = document;
    damaged[key] = 3;
    EXPECT_THAT(refusal([&] {
                  check_same_model(damaged, "old.json", "mlp", "forward", "(x) -> (y)");
                  compare_results(damaged, now, "old.json");
                }),
                HasSubstr("damaged"))
        << key;
  }
  document["latency"][0]["microseconds"]["median"] = 0;
  EXPECT_THAT(refusal([&] { compare_results(document, now, "old.json"); }),
              HasSubstr("not a number above 0"));
  document = now;
  document["latency"] = document["throughput"] = document["memory"] = json::array();
  document["start"]["milliseconds"] = json::object();
  EXPECT_THAT(refusal([&] { compare_results(document, now, "old.json"); }), HasSubstr("no figure"));
}

}  // namespace
}  // namespace kit::bench
