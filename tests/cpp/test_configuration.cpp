#include <kit/configuration.h>

#include <gtest/gtest.h>

#include "expect_error.h"

namespace kit {
namespace {

using test::expect_error;

TEST(Configuration, WhatIsSetStaysAndTheRestFollowsTheOther) {
  const Configuration asked{.fusion = false, .threads = 2};
  const Configuration recommended{.fusion = true,
                                  .executor = Executor::simple,
                                  .freeze = true,
                                  .tf32 = true,
                                  .threads = 8,
                                  .dynamic_depth = 0};
  const Configuration both{.fusion = false,
                           .executor = Executor::simple,
                           .freeze = true,
                           .tf32 = true,
                           .threads = 2,
                           .dynamic_depth = 0};
  EXPECT_EQ(asked.over(recommended), both);
  EXPECT_EQ(Configuration{}.over(recommended), recommended);
  EXPECT_EQ(recommended.over({}), recommended);
}

TEST(Configuration, SaysInWordsWhatIsSet) {
  EXPECT_EQ(Configuration{}.str(), "");
  EXPECT_EQ(
      (Configuration{.fusion = true,
                     .executor = Executor::profiling,
                     .freeze = false,
                     .tf32 = false,
                     .threads = 1,
                     .interop_threads = 3,
                     .static_depth = 2,
                     .dynamic_depth = 10}
           .str()),
      "fusion on, profiling executor, not frozen, TF32 off, static depth 2, dynamic depth 10, 1 thread, "
      "3 inter-op threads");
  // Where nothing is fused, how often that is done means nothing.
  EXPECT_EQ((Configuration{.fusion = false, .freeze = true, .static_depth = 2}.str()), "fusion off, frozen");
}

TEST(Configuration, IsJson) {
  EXPECT_EQ(Configuration{}.json(), "{}");
  EXPECT_EQ((Configuration{.fusion = false, .executor = Executor::simple, .tf32 = true, .threads = 4}.json()),
            R"({"executor":"simple","fusion":false,"tf32":true,"threads":4})");
}

TEST(Configuration, RefusesWhatCannotBe) {
  Configuration{.fusion = true, .executor = Executor::profiling, .threads = 1, .static_depth = 0}.check();
  Configuration{.fusion = false, .executor = Executor::simple}.check();
  expect_error(ErrorCode::usage, "the simple executor fuses nothing",
               [] { Configuration{.fusion = true, .executor = Executor::simple}.check(); });
  expect_error(ErrorCode::usage, "threads is 0; give 1 or more", [] { Configuration{.threads = 0}.check(); });
  expect_error(ErrorCode::usage, "interop_threads is -3",
               [] { Configuration{.interop_threads = -3}.check(); });
  expect_error(ErrorCode::usage, "dynamic_depth is -1; give 0 or more",
               [] { Configuration{.dynamic_depth = -1}.check(); });
}

TEST(Configuration, ExecutorsHaveNames) {
  for (const Executor executor : {Executor::profiling, Executor::simple})
    EXPECT_EQ(executor_from_name(name(executor)), executor);
  expect_error(ErrorCode::usage, "there is no executor 'legacy'; give profiling or simple",
               [] { executor_from_name("legacy"); });
}

}  // namespace
}  // namespace kit
