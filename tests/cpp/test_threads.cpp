#include "endurance/campaigns.h"

#include <gtest/gtest.h>

#include "environment.h"
#include "expect_steady.h"
#include "native_archive.h"
#include "temp_dir.h"

namespace kit::endurance {
namespace {

using test::Environment;
using test::expect_steady;
using test::NativeArchive;
using test::NativeProgram;

/// With a folder for temporary files of its own.
class Threads : public testing::Test {
 protected:
  TempDir dir;
  Environment temporary{"TMPDIR", dir.str()};
};

/// The program written by hand, with a bias that makes it another, so that it is loaded beside others.
std::string write(const TempDir& dir, float bias) {
  NativeArchive builder({"x86-64-v2"}, NativeProgram().set_bias(bias));
  return dir.write("bias" + std::to_string(bias) + ".pt", builder.build());
}

TEST_F(Threads, OneModelServesAll) {
  const Subject subject(write(dir, 0), Engine::native);
  for (const int threads : {1, 2, 8, 32}) {
    const Outcome outcome = predict_at_once(subject, threads, 10'000, 7);
    EXPECT_EQ(outcome.done, 10'000);
    expect_steady(outcome);
  }
}

TEST_F(Threads, LoadPredictMoveAndDestroyInAnyOrder) {
  std::vector<Subject> subjects;
  for (const float bias : {0.0F, 1e-6F, 2e-6F}) subjects.emplace_back(write(dir, bias), Engine::native);
  for (const std::uint64_t seed : {1U, 2U}) {
    const Outcome outcome = interleave(subjects, 8, 100, seed);
    EXPECT_GT(outcome.done, 100);
    expect_steady(outcome);
  }
}

TEST_F(Threads, LoadingAgainAndAgainLeavesNothing) {
  const Subject subject(write(dir, 0), Engine::native);
  const Outcome outcome = load_again_and_again(subject, 2'000, 60);
  EXPECT_GT(outcome.done, 200);
  expect_steady(outcome);
  EXPECT_LE(outcome.after.mappings, outcome.before.mappings);
}

/// Or the tests above would pass whatever the program computed.
TEST_F(Threads, AWrongResultIsCounted) {
  const Subject subject(write(dir, 0), Engine::native);
  const Subject other(write(dir, 1e-6F), Engine::native);
  EXPECT_TRUE(subject.predicts(subject.load(), 0));
  EXPECT_FALSE(subject.predicts(other.load(), 0));
}

}  // namespace
}  // namespace kit::endurance
