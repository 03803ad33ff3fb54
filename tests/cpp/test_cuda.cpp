#include <ATen/Context.h>
#include <gtest/gtest.h>

#include <kit/torch.h>
#include <kit/verify.h>

#include "expect_error.h"

namespace kit {
namespace {

std::string archive_path(const std::string& name) {
  return std::string(KIT_TEST_ARCHIVES) + "/" + name + ".pt";
}

TEST(Cuda, ReproducesTheGoldenCasesOfTheCpu) {
  if (!at::globalContext().hasCUDA()) GTEST_SKIP() << "this host has no CUDA device";
  for (const char* name : {"mlp", "pair", "fixed", "empty_ok"}) {
    const Archive archive = Archive::open(archive_path(name));
    const Report report = verify(Model::load(archive, {.device = "cuda:0"}), archive);
    EXPECT_TRUE(report.passed()) << name << ": " << report.max_abs();
  }
}

TEST(Cuda, ADeviceThatIsNotThereIsNamed) {
  test::expect_error(ErrorCode::unavailable, "the device cuda:99 is not here",
                     [] { Model::load(archive_path("mlp"), {.device = "cuda:99"}); });
}

}  // namespace
}  // namespace kit
