#include "bench/bare_module.h"

#include <string>

#include <gtest/gtest.h>

#include <kit/compare.h>
#include <kit/kit.h>

#include "expect_error.h"

namespace kit::bench {
namespace {

using test::expect_error;

const std::string path = std::string(KIT_TEST_ARCHIVES) + "/mlp.pt";

class EveryForm : public testing::TestWithParam<const char*> {};

TEST_P(EveryForm, ComputesWhatKitComputes) {
  const Archive archive = Archive::open(path);
  const Model model = Model::load(archive, {.engine = Engine::torchscript});
  const BareModule bare(path, "forward", GetParam());
  for (const Case& one : archive.cases("forward")) {
    const std::vector<Tensor> outputs = bare.run(one.inputs);
    ASSERT_EQ(outputs.size(), 1U);
    const Tolerance tolerance = default_tolerances().at(DType::float32);
    EXPECT_TRUE(compare(outputs.front(), model.predict(one.inputs).front(), tolerance).within);
  }
}

TEST_P(EveryForm, IsTimed) {
  const BareModule bare(path, "forward", GetParam());
  const std::vector<double> seconds = bare.time({Tensor::of<float>({1, 1, 1}, {1, 3})}, 3, 2);
  ASSERT_EQ(seconds.size(), 3U);
  for (const double one : seconds) EXPECT_GT(one, 0);
}

INSTANTIATE_TEST_SUITE_P(BareModule, EveryForm, testing::Values("loaded", "frozen", "optimized"));

TEST(BareModule, WhatIsNoFormOrNoFileIsRefused) {
  expect_error(ErrorCode::usage, {"'fast'", "frozen"}, [] { BareModule(path, "forward", "fast"); });
  expect_error(ErrorCode::unavailable, "none.pt", [] { BareModule("none.pt", "forward", "loaded"); });
}

}  // namespace
}  // namespace kit::bench
