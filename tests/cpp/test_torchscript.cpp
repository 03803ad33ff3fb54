#include <sstream>
#include <thread>

#include <ATen/Context.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <caffe2/serialize/inline_container.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>

#include <kit/torch.h>
#include <kit/verify.h>

#include "archive_builder.h"
#include "core/safetensors.h"
#include "expect_error.h"

namespace kit {
namespace {

using test::expect_error;

/// What plain torch saves of a module with a parameter `weight` of ones and these methods.
std::string saved(const std::string& methods) {
  torch::jit::Module module("m");
  module.register_parameter("weight", at::ones({2}), false);
  if (!methods.empty()) module.define(methods);
  std::stringstream file;
  module.save(file);
  return file.str();
}

constexpr const char* counting = R"(
def forward(self, x):
  return x + self.weight

def grow(self, x):
  self.weight.add_(1)
  return x * 2

def sample(self, x):
  return torch.rand_like(x)
)";

Archive plain() { return Archive::from_bytes(test::bytes_of(saved(counting)), "plain.pt"); }

std::string one_case(const at::Tensor& x, const at::Tensor& y) {
  const std::string header = safetensors::serialize_header(
      {{"0.inputs.x", DType::float32, {2, 2}, 0, 16}, {"0.outputs.y", DType::float32, {2, 2}, 16, 32}});
  return header + std::string(static_cast<const char*>(x.data_ptr()), 16) +
         std::string(static_cast<const char*>(y.data_ptr()), 16);
}

/// An archive of kit's with the methods `forward` and `sample`. The cases of `sample` come from seed 5.
Archive with_sample(std::int64_t seed) {
  std::stringstream file(saved(counting));
  caffe2::serialize::PyTorchStreamReader reader(&file);
  test::ArchiveBuilder builder;
  builder.members.clear();
  for (const std::string& name : reader.getAllRecords()) {
    const auto [data, size] = reader.getRecord(name);
    builder.members.emplace_back(name, std::string(static_cast<const char*>(data.get()), size));
  }
  const at::Tensor x = at::rand({2, 2});
  at::manual_seed(5);
  builder.members.emplace_back("extra/kit/cases.safetensors", one_case(x, x.add(1)));
  builder.members.emplace_back("extra/kit/methods/sample/cases.safetensors", one_case(x, at::rand({2, 2})));
  nlohmann::json method = {{"signature", builder.manifest["signature"]},
                           {"cases", {{"count", 1}, {"seed", seed}}},
                           {"tolerances", builder.manifest["tolerances"]}};
  builder.manifest["methods"]["sample"] = method;
  return Archive::from_bytes(test::bytes_of(builder.build()), "here.pt");
}

at::Tensor run(const Model& model, const at::Tensor& x) { return predict(model, {x}).at(0); }

TEST(TorchScript, AnyMethodOfAPlainArchiveCanBeTaken) {
  const Model model = Model::load(plain(), {.method = "grow"});
  EXPECT_EQ(model.method(), "grow");
  EXPECT_TRUE(at::equal(run(model, at::ones({2})), at::full({2}, 2.0)));
  expect_error(ErrorCode::usage,
               {"plain.pt: its module has no method 'shrink'; give one that it has: ", "forward", "grow"},
               [] { Model::load(plain(), {.method = "shrink"}); });
  const Archive empty = Archive::from_bytes(test::bytes_of(saved("")), "empty.pt");
  expect_error(ErrorCode::archive, "empty.pt: its module has no methods", [&] { Model::load(empty); });
}

TEST(TorchScript, MethodsOfAnArchiveOfKitsAreItsManifests) {
  const Archive archive = with_sample(5);
  expect_error(ErrorCode::usage, "the model 'double' has no method 'grow'; give one that it has: forward, ",
               [&] { Model::load(archive, {.method = "grow"}); });
  EXPECT_EQ(Model::load(archive, {.method = "sample"}).signature().outputs.at(0).name, "y");
}

TEST(TorchScript, AMethodThatOnlyTheManifestHasIsNamed) {
  std::stringstream file(saved("def forward(self, x):\n  return x\n"));
  caffe2::serialize::PyTorchStreamReader reader(&file);
  test::ArchiveBuilder builder;
  for (const std::string& name : reader.getAllRecords()) {
    const auto [data, size] = reader.getRecord(name);
    std::erase_if(builder.members, [&, &name = name](const auto& member) { return member.first == name; });
    builder.members.emplace_back(name, std::string(static_cast<const char*>(data.get()), size));
  }
  builder.manifest["methods"]["sample"] = {{"signature", builder.manifest["signature"]},
                                           {"cases", {{"count", 0}}},
                                           {"tolerances", nlohmann::json::object()}};
  const Archive archive = Archive::from_bytes(test::bytes_of(builder.build()), "here.pt");
  expect_error(ErrorCode::archive, "here.pt: its program has no method 'sample'; export the model again",
               [&] { Model::load(archive, {.method = "sample"}); });
}

TEST(TorchScript, MethodsOfOneArchiveShareTheWeights) {
  const Archive archive = plain();
  const at::Tensor zero = at::full({2}, 0.0);
  {
    const Model forward = Model::load(archive);
    const Model copy = Model::load(Archive(archive));
    const Model other = Model::load(plain());
    run(Model::load(archive, {.method = "grow"}), zero);
    EXPECT_TRUE(at::equal(run(forward, zero), at::full({2}, 2.0)));
    EXPECT_TRUE(at::equal(run(copy, zero), at::full({2}, 2.0)));
    EXPECT_TRUE(at::equal(run(other, zero), at::full({2}, 1.0)));
  }
  EXPECT_TRUE(at::equal(run(Model::load(archive), zero), at::full({2}, 1.0)));
}

TEST(TorchScript, AnArchiveIsNotTakenForOneThatIsGone) {
  const std::vector<std::byte> bytes = test::bytes_of(saved(counting));
  std::vector<Model> models;
  for (int i = 0; i < 20; ++i) {
    // Were the bytes of the archive before this one not kept with its weights, these would lie where those
    // did.
    const Archive archive = Archive::from_bytes(bytes, "plain.pt");
    models.push_back(Model::load(archive, {.method = "grow"}));
    run(models.back(), at::ones({2}));
    EXPECT_TRUE(at::equal(run(Model::load(archive), at::ones({2})), at::full({2}, 3.0))) << i;
  }
}

TEST(TorchScript, ManyThreadsLoadOneArchiveAtOnce) {
  const Archive archive = plain();
  std::vector<std::optional<Model>> models(8);
  std::vector<std::thread> threads;
  for (auto& model : models) threads.emplace_back([&] { model = Model::load(archive, {.method = "grow"}); });
  for (std::thread& thread : threads) thread.join();
  for (const auto& model : models) run(*model, at::ones({2}));
  EXPECT_TRUE(at::equal(run(Model::load(archive), at::full({2}, 0.0)), at::full({2}, 9.0)));
}

TEST(TorchScript, SeedsGiveTheSameNumbersAgain) {
  const Model model = Model::load(plain(), {.method = "sample"});
  const at::Tensor x = at::ones({4});
  model.seed(7);
  const at::Tensor first = run(model, x);
  EXPECT_FALSE(at::equal(run(model, x), first));
  model.seed(7);
  EXPECT_TRUE(at::equal(run(model, x), first));
  at::manual_seed(7);
  EXPECT_TRUE(at::equal(at::rand({4}), first));
}

TEST(TorchScript, VerifySeedsBeforeEachCase) {
  const Archive archive = with_sample(5);
  const Model sample = Model::load(archive, {.method = "sample"});
  for (int i = 0; i < 2; ++i) {
    const Report report = verify(sample, archive);
    EXPECT_EQ(report.method, "sample");
    EXPECT_TRUE(report.bit_equal());
  }
  EXPECT_TRUE(verify(Model::load(archive), archive).passed());
  const Archive other = with_sample(6);
  EXPECT_FALSE(verify(Model::load(other, {.method = "sample"}), other).passed());
}

}  // namespace
}  // namespace kit
