#include <gtest/gtest.h>

#include <kit/kit.h>

#include "busy.h"
#include "child.h"
#include "endurance/campaigns.h"
#include "environment.h"
#include "expect_error.h"
#include "expect_steady.h"
#include "temp_dir.h"

namespace kit::endurance {
namespace {

using test::Busy;
using test::Environment;
using test::expect_error;
using test::expect_steady;
using test::in_child;

const std::string archive = KIT_TEST_ARCHIVES "/engines.pt";
const std::vector<Engine> engines{Engine::native, Engine::torchscript, Engine::aoti};
constexpr const char* lost = "libtorch is not to be used on both sides of a fork; start the child with spawn";

/// Each engine, with a folder for temporary files of its own.
class Engines : public testing::TestWithParam<Engine> {
 protected:
  TempDir dir;
  Environment temporary{"TMPDIR", dir.str()};
};

INSTANTIATE_TEST_SUITE_P(Of, Engines, testing::ValuesIn(engines),
                         [](const auto& one) { return std::string(name(one.param)); });

std::string said(bool right) { return right ? "right" : "wrong"; }

TEST_P(Engines, OneModelServesAllThreads) {
  const Subject subject(archive, GetParam());
  EXPECT_EQ(subject.cases(), 8U);
  for (const int threads : {1, 2, 8, 32}) {
    SCOPED_TRACE(threads);
    // How many calls there are at once, each with memory of its own, is a matter of chance.
    expect_steady(predict_at_once(subject, threads, 4'000, 5), threads * (std::int64_t{1} << 19));
  }
}

TEST_P(Engines, LoadingAgainAndAgainLeavesNothing) {
  const Subject subject(archive, GetParam());
  const Outcome outcome = load_again_and_again(subject, 500, 20);
  EXPECT_GT(outcome.done, 150);
  expect_steady(outcome);
  EXPECT_LE(outcome.after.mappings, outcome.before.mappings + 2);
}

TEST_P(Engines, AChildWorksOrSaysWhyNot) {
  const Subject subject(archive, GetParam());
  const Model model = subject.load();
  const auto expect = [&](const std::string& outcome) {
    if (GetParam() == Engine::native)
      EXPECT_EQ(outcome, "right");
    else
      EXPECT_NE(outcome.find(lost), std::string::npos) << outcome;
  };
  const auto predict = [&] { return said(subject.predicts(model, 3)); };
  const auto load = [&] { return said(subject.predicts(subject.load_anew(), 3)); };
  expect(in_child(predict));
  expect(in_child(load));
  const Busy busy(4, [&] { subject.predicts(model, 3); });
  const Busy loading(1, [&] { subject.load_anew(); });
  for (int i = 0; i < 10; ++i) {
    expect(in_child(predict));
    expect(in_child(load));
  }
  EXPECT_TRUE(subject.predicts(model, 3));
}

TEST_P(Engines, WhatAChildDestroysStaysTheParents) {
  const Subject subject(archive, GetParam());
  std::optional<Model> model = subject.load();
  const std::int64_t files = Footprint::now().files;
  EXPECT_EQ(in_child([&] {
              model.reset();
              return said(true);
            }),
            "right");
  EXPECT_EQ(Footprint::now().files, files);
  EXPECT_TRUE(subject.predicts(*model, 0));
}

TEST(EnginesTogether, LoadPredictMoveAndDestroyInAnyOrder) {
  const TempDir dir;
  const Environment temporary("TMPDIR", dir.str());
  std::vector<Subject> subjects;
  for (const Engine engine : engines) subjects.emplace_back(archive, engine);
  subjects.emplace_back(KIT_TEST_ARCHIVES "/scores.pt", Engine::aoti);
  subjects.emplace_back(KIT_TEST_ARCHIVES "/scores.pt", Engine::torchscript);
  for (const std::uint64_t seed : {3U, 4U}) {
    const Outcome outcome = interleave(subjects, 8, 40, seed);
    EXPECT_GT(outcome.done, 100);
    EXPECT_EQ(outcome.wrong, 0);
    EXPECT_LE(outcome.after.descriptors, outcome.before.descriptors);
    EXPECT_LE(outcome.after.files, outcome.before.files);
  }
}

}  // namespace
}  // namespace kit::endurance
