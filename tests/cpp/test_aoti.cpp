#include <ATen/core/Tensor.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>
#include <thread>

#include <kit/torch.h>
#include <kit/verify.h>

#include "environment.h"
#include "expect_error.h"
#include "temp_dir.h"

namespace kit {
namespace {

using test::expect_error;

std::string file(const std::string& name) { return std::string(KIT_TEST_ARCHIVES) + "/" + name; }

Model load(Engine engine = Engine::aoti) { return Model::load(file("scores.pt"), {.engine = engine}); }

/// A state x and a word for each row, of any values.
std::vector<at::Tensor> inputs_of(std::int64_t rows) {
  return {at::randn({rows, 4}), at::randint(0, 11, {rows}, at::kLong)};
}

/// The packages that are mapped into this process; maps says "(deleted)" behind those whose file is gone.
std::set<std::string> mapped_packages() {
  std::set<std::string> result;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);)
    if (line.find(".wrapper.so") != std::string::npos) result.insert(line.substr(line.find('/')));
  return result;
}

TEST(Aoti, ReproducesTheGoldenCases) {
  const Archive archive = Archive::open(file("scores.pt"));
  const Model model = Model::load(archive, {.engine = Engine::aoti});
  const Report report = verify(model, archive);
  EXPECT_EQ(report.engine, Engine::aoti);
  EXPECT_EQ(model.target(), "x86-64-v2");
  EXPECT_TRUE(report.passed()) << report.max_abs();
}

TEST(Aoti, ComputesWhatTorchScriptComputesFromManyThreads) {
  const Model model = load();
  const Model other = load(Engine::torchscript);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      for (const std::int64_t rows : {1, 2, 3, 64, 17}) {
        const std::vector<at::Tensor> inputs = inputs_of(rows);
        EXPECT_TRUE(at::allclose(predict(model, inputs)[0], predict(other, inputs)[0], 1e-5, 1e-5)) << rows;
      }
    });
  for (std::thread& thread : threads) thread.join();
}

TEST(Aoti, UsesAsManyThreadsAsAreAskedFor) {
  const Model model =
      Model::load(file("scores.pt"), {.engine = Engine::aoti, .configuration = {.threads = 1}});
  const std::vector<at::Tensor> inputs = inputs_of(64);
  EXPECT_TRUE(at::allclose(predict(model, inputs)[0], predict(load(), inputs)[0], 1e-5, 1e-5));
}

/// Not even while it is used: a process may be killed.
TEST(Aoti, LeavesNoFileBehind) {
  const TempDir dir;
  const test::Environment temporary("TMPDIR", dir.str());
  {
    const Model model = load();
    EXPECT_FALSE(mapped_packages().empty());
    EXPECT_EQ(dir.names(), std::vector<std::string>());
  }
  EXPECT_EQ(dir.names(), std::vector<std::string>());
}

/// What has run in this thread is not unloaded before the thread ends, and must not pile up.
TEST(Aoti, AProgramThatIsLoadedAgainIsMappedOnce) {
  const TempDir dir;
  const test::Environment temporary("TMPDIR", dir.str());
  const std::string path = file("engines.pt");
  const std::size_t before = mapped_packages().size();
  for (int i = 0; i < 3; ++i) {
    const Model model = Model::load(path, {.engine = Engine::aoti});
    predict(model, {at::randn({5, 3})});
    EXPECT_EQ(mapped_packages().size(), before + 1);
  }
  EXPECT_EQ(dir.names(), std::vector<std::string>());
}

TEST(Aoti, WhatCannotBeUnpackedIsSaid) {
  const test::Environment temporary("TMPDIR", "/proc/self");
  test::expect_error(ErrorCode::unavailable,
                     {"scores.pt: libtorch cannot load", "TMPDIR: there must be room"}, [] { load(); });
}

TEST(Aoti, HasOneProgramForEachModel) {
  const Model one = load();
  Model other = load();
  other.update_weights(file("scores.other.safetensors"));
  const std::vector<at::Tensor> inputs = inputs_of(5);
  EXPECT_FALSE(at::allclose(predict(one, inputs)[0], predict(other, inputs)[0]));
}

TEST(Aoti, ReplacesWeightsThatFitTheirCases) {
  const Archive archive = Archive::open(file("scores.pt"));
  Model model = Model::load(archive, {.engine = Engine::aoti});
  model.update_weights(file("scores.other.safetensors"));
  EXPECT_TRUE(model.warnings().empty());
  EXPECT_FALSE(verify(model, archive).passed());
}

TEST(Aoti, PutsWeightsBackThatDoNot) {
  const Archive archive = Archive::open(file("scores.pt"));
  Model model = Model::load(archive, {.engine = Engine::aoti});
  expect_error(ErrorCode::parity, {"scores.wrong.safetensors: case 0, output 'scores'", "in use again"},
               [&] { model.update_weights(file("scores.wrong.safetensors")); });
  EXPECT_TRUE(verify(model, archive).passed());
}

TEST(Aoti, HasNoGraphs) {
  expect_error(ErrorCode::unavailable, "only TorchScript programs have graphs",
               [] { load().graph(Stage::traced); });
}

}  // namespace
}  // namespace kit
