#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <thread>

#include <kit/torch.h>
#include <kit/verify.h>

#include "expect_error.h"

namespace kit {
namespace {

constexpr double rtol = 1e-5;
constexpr double atol = 1e-6;

std::string archive_path(const std::string& name) {
  return std::string(KIT_TEST_ARCHIVES) + "/" + name + ".pt";
}

/// What needs a GPU; the rest of the tests of devices runs everywhere.
class Cuda : public testing::Test {
 protected:
  void SetUp() override {
    if (!at::globalContext().hasCUDA()) GTEST_SKIP() << "this host has no CUDA device";
  }
};

TEST_F(Cuda, ReproducesTheGoldenCasesOfTheCpu) {
  for (const char* name : {"mlp", "pair", "fixed", "empty_ok"}) {
    const Archive archive = Archive::open(archive_path(name));
    const Report report = verify(Model::load(archive, {.device = "cuda:0"}), archive);
    EXPECT_TRUE(report.passed()) << name << ": " << report.max_abs();
  }
}

TEST_F(Cuda, ReproducesThemInEveryConfiguration) {
  const Archive archive = Archive::open(archive_path("mlp"));
  for (const Configuration& configuration : {
           Configuration{.fusion = true},
           Configuration{.fusion = false},
           Configuration{.executor = Executor::simple},
           Configuration{.freeze = true},
           Configuration{.static_depth = 0, .dynamic_depth = 1},
       }) {
    const Model model = Model::load(archive, {.device = "cuda", .configuration = configuration});
    for (int run = 1; run <= 4; ++run)
      EXPECT_TRUE(verify(model, archive).passed()) << configuration.str() << ", run " << run;
  }
}

TEST_F(Cuda, FusesByDefaultAndTheCpuDoesNot) {
  EXPECT_EQ(Model::load(archive_path("mlp"), {.device = "cuda"}).configuration().fusion, true);
  EXPECT_EQ(Model::load(archive_path("mlp")).configuration().fusion, false);
}

TEST_F(Cuda, OutputsAreWhereTheInputsAre) {
  const Model model = Model::load(archive_path("mlp"), {.device = "cuda:0"});
  const at::Tensor x = at::randn({5, 3});
  const at::Tensor on_cpu = predict(model, {x}).front();
  const at::Tensor on_gpu = predict(model, {x.to(at::kCUDA)}).front();
  EXPECT_TRUE(on_cpu.is_cpu());
  EXPECT_TRUE(on_gpu.is_cuda());
  EXPECT_TRUE(on_gpu.cpu().allclose(on_cpu, rtol, atol));
  EXPECT_EQ(from_torch(on_gpu).device().str(), "cuda:0");
}

TEST_F(Cuda, PredictsFromManyThreadsAtOnce) {
  const Model model = Model::load(archive_path("mlp"), {.device = "cuda:0"});
  const Model reference = Model::load(archive_path("mlp"));
  std::vector<int> wrong(4);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < wrong.size(); ++i)
    threads.emplace_back([&, i] {
      for (int call = 0; call < 50; ++call) {
        const at::Tensor x = at::randn({1 + static_cast<std::int64_t>(i) * 7 + call % 3, 3});
        const at::Tensor expected = predict(reference, {x}).front();
        const at::Tensor actual = predict(model, {x.to(at::kCUDA)}).front().cpu();
        if (!actual.allclose(expected, rtol, atol)) ++wrong[i];
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(wrong.size()));
}

TEST_F(Cuda, TheMessageCountsTheDevices) {
  const int count = at::detail::getCUDAHooks().deviceCount();
  test::expect_error(ErrorCode::unavailable, "the host has " + std::to_string(count) + "; give cuda:0",
                     [&] { Model::load(archive_path("mlp"), {.device = "cuda:" + std::to_string(count)}); });
}

TEST(CudaDevice, OneThatIsNotThereIsNamed) {
  test::expect_error(ErrorCode::unavailable, "the device cuda:99 is not here",
                     [] { Model::load(archive_path("mlp"), {.device = "cuda:99"}); });
}

TEST(CudaDevice, WithoutAGpuThereIsNone) {
  if (at::globalContext().hasCUDA()) GTEST_SKIP() << "this host has a CUDA device";
  for (const char* device : {"cuda", "cuda:0", "cuda:9"})
    test::expect_error(ErrorCode::unavailable, "this host has no CUDA GPU",
                       [&] { Model::load(archive_path("mlp"), {.device = device}); });
}

}  // namespace
}  // namespace kit
