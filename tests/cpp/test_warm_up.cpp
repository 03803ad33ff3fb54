#include "engines/warm_up.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "expect_error.h"

namespace kit {
namespace {

using test::expect_error;

std::string archive_path(const std::string& name) {
  return std::string(KIT_TEST_ARCHIVES "/") + name + ".pt";
}

Tensor rows(std::int64_t count) {
  return Tensor::of(std::vector<float>(static_cast<std::size_t>(3 * count), 0.5F), {count, 3});
}

/// Compiles in the calls of the given numbers, from 0; and only a new fingerprint shows in others.
class Compiling final : public Program {
 public:
  Compiling(std::vector<int> compiles, std::vector<int> changes)
      : compiles_(std::move(compiles)), changes_(std::move(changes)) {}

  std::vector<std::string> input_names() const override { return {"x"}; }
  std::vector<Tensor> run(const std::vector<Tensor>& inputs) const override {
    if (contains(compiles_)) ++compiled_;
    if (contains(changes_)) fingerprint_ += "x";
    ++calls_;
    return inputs;
  }
  void seed(std::uint64_t /*seed*/) const override {}
  std::string fingerprint() const override { return fingerprint_; }
  std::uint64_t compilations() const noexcept override { return compiled_; }

 private:
  bool contains(const std::vector<int>& calls) const {
    return std::find(calls.begin(), calls.end(), calls_) != calls.end();
  }

  std::vector<int> compiles_;
  std::vector<int> changes_;
  mutable int calls_ = 0;
  mutable std::uint64_t compiled_ = 0;
  mutable std::string fingerprint_;
};

TEST(WarmUp, EndsWhenTwoCallsInARowChangeNothing) {
  const WarmUp one = warm_up(Compiling({1}, {1}), {{rows(1)}});
  EXPECT_EQ(one.calls, 4);  // watched, compiled, quiet, quiet
  EXPECT_EQ(one.compilations, 1);
  EXPECT_TRUE(one.settled);
  const WarmUp changing = warm_up(Compiling({}, {0, 2}), {{rows(1)}});
  EXPECT_EQ(changing.calls, 5);
  EXPECT_EQ(changing.compilations, 0);
  EXPECT_EQ(warm_up(Compiling({1, 5}, {}), {{rows(1)}, {rows(2)}}).calls, 8);
}

TEST(WarmUp, GivesUpOnWhatNeverSettles) {
  std::vector<int> always;
  for (int i = 0; i < 1000; ++i) always.push_back(i);
  const WarmUp one = warm_up(Compiling(always, {}), {{rows(1)}});
  EXPECT_EQ(one.calls, 20);
  EXPECT_FALSE(one.settled);
  // What comes after it can settle, but that does not mend it.
  std::vector<int> first(always.begin(), always.begin() + 20);
  EXPECT_FALSE(warm_up(Compiling(first, {}), {{rows(1)}, {rows(2)}}).settled);
}

TEST(WarmUp, SaysWhatItTook) {
  EXPECT_EQ((WarmUp{{{{"batch", 64}}, {{"batch", 1}}}, 9, 3, 83.4, true}.str()),
            "warmed up for batch = 1, 64: 9 calls, 83 ms, 3 graphs compiled");
  EXPECT_EQ((WarmUp{{{{"batch", 1}, {"length", 7}}, {{"batch", 2}, {"length", 9}}}, 1, 1, 3.14, true}.str()),
            "warmed up for batch = 1, length = 7; batch = 2, length = 9: 1 call, 3.1 ms, 1 graph compiled");
  EXPECT_EQ((WarmUp{{{}}, 20, 0, 1.0, false}.str()),
            "warmed up for its one size: 20 calls, 1.0 ms, 0 graphs compiled; the last calls still compiled, "
            "so further ones may");
}

TEST(WarmUp, TakesOneGoldenCaseOfEachSize) {
  const Archive archive = Archive::open(archive_path("mlp"));
  const Method& method = archive.manifest()->method("forward");
  const auto all = warm_up_inputs(archive, method, {});
  std::vector<Sizes> sizes;
  for (const std::vector<Tensor>& inputs : all) sizes.push_back(method.signature.sizes(inputs));
  EXPECT_GT(sizes.size(), 1u);
  std::sort(sizes.begin(), sizes.end());
  EXPECT_EQ(std::adjacent_find(sizes.begin(), sizes.end()), sizes.end());
  const std::int64_t known = sizes.front().at("batch");
  EXPECT_EQ(warm_up_inputs(archive, method, {{"batch", {known}}}).size(), 1u);
  expect_error(ErrorCode::usage,
               {"mlp.pt: no golden case has batch = 1234567; there are cases of ", "inputs of"}, [&] {
                 warm_up_inputs(archive, method, {{"batch", {known, 1234567}}});
               });
  expect_error(ErrorCode::usage, "mlp.pt: there is no dim 'rows' to warm up sizes of; it has batch", [&] {
    warm_up_inputs(archive, method, {{"rows", {1}}});
  });
  const Archive fixed = Archive::open(archive_path("fixed"));
  expect_error(ErrorCode::usage, "all its sizes are fixed", [&] {
    warm_up_inputs(fixed, fixed.manifest()->method("forward"), {{"batch", {1}}});
  });
}

TEST(WarmUp, IsDoneAtLoadWhereItIsAskedFor) {
  const Archive archive = Archive::open(archive_path("mlp"));
  EXPECT_EQ(Model::load(archive).warmed_up(), std::nullopt);
  const std::size_t sizes = warm_up_inputs(archive, archive.manifest()->method("forward"), {}).size();
  const Model model = Model::load(archive, {.warm_up = true});
  ASSERT_TRUE(model.warmed_up());
  EXPECT_EQ(model.warmed_up()->sizes.size(), sizes);
  EXPECT_EQ(model.warmed_up()->compilations,
            1);  // nothing is fused on the CPU, so one graph serves all sizes
  EXPECT_GE(model.warmed_up()->calls, static_cast<std::int64_t>(2 * sizes));
  EXPECT_GT(model.warmed_up()->milliseconds, 0);
  EXPECT_TRUE(model.warmed_up()->settled);
  const std::int64_t batch = model.warmed_up()->sizes.front().at("batch");
  EXPECT_EQ(Model::load(archive, {.warm_up_sizes = {{"batch", {batch}}}}).warmed_up()->sizes.size(), 1u);
  EXPECT_EQ(Model::load(archive_path("fixed"), {.warm_up = true}).warmed_up()->sizes,
            std::vector<Sizes>{Sizes{}});
}

TEST(WarmUp, AnArchiveFromElsewhereHasNothingToWarmUpWith) {
  expect_error(ErrorCode::usage, "plain.pt: there is nothing to warm up with",
               [] { Model::load(archive_path("plain"), {.warm_up = true}); });
  Model model = Model::load(archive_path("plain"));
  EXPECT_EQ(model.warm_up({{rows(2)}}).compilations, 1);
}

TEST(WarmUp, WhatCompilesLaterIsLogged) {
  std::vector<std::string> log;
  const Options options{.log = [&](const std::string& text) { log.push_back(text); }};
  Model model = Model::load(archive_path("mlp"), options);
  model.predict({rows(1)});
  model.predict({rows(1)});
  EXPECT_EQ(log, std::vector<std::string>{});  // it was not warmed up
  Options fusing = options;
  fusing.configuration = {.fusion = true};
  Model pair = Model::load(archive_path("pair"), fusing);
  const auto inputs = [](std::int64_t count) {
    return std::vector<Tensor>{
        rows(count), Tensor::of(std::vector<std::int64_t>(static_cast<std::size_t>(count), 2), {count})};
  };
  const WarmUp first = pair.warm_up({inputs(2)});
  EXPECT_EQ(first.sizes, (std::vector<Sizes>{{{"batch", 2}}}));
  pair.predict(inputs(2));
  EXPECT_EQ(log, std::vector<std::string>{});
  pair.predict(inputs(3));
  pair.predict(inputs(3));
  EXPECT_EQ(log, (std::vector<std::string>{
                     "a prediction compiled 1 graph for batch = 3, for which the model was not warmed up"}));
  pair.predict(inputs(3));
  EXPECT_EQ(log.size(), 1u);
  pair.warm_up({inputs(5)});
  pair.predict(inputs(5));
  EXPECT_EQ(log.size(), 1u);
  EXPECT_EQ(pair.warmed_up()->sizes.size(), 2u);
  EXPECT_GT(pair.warmed_up()->calls, first.calls);
}

TEST(WarmUp, RefusesInputsThatDoNotFit) {
  Model model = Model::load(archive_path("mlp"));
  expect_error(ErrorCode::usage, "there are no inputs to warm up with", [&] { model.warm_up({}); });
  expect_error(ErrorCode::input, "x", [&] { model.warm_up({{rows(1)}, {}}); });
  EXPECT_EQ(model.warmed_up(), std::nullopt);
}

}  // namespace
}  // namespace kit
