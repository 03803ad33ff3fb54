#include <thread>

#include <gtest/gtest.h>

#include <kit/kit.h>

#include "core/file.h"
#include "expect_error.h"

namespace kit {
namespace {

using test::expect_error;

std::string archive_path(const std::string& name) {
  return std::string(KIT_TEST_ARCHIVES) + "/" + name + ".pt";
}

TEST(Model, LoadsAsksPredicts) {
  const Model model = Model::load(archive_path("pair"));
  EXPECT_EQ(model.engine(), Engine::torchscript);
  EXPECT_TRUE(model.warnings().empty());
  EXPECT_EQ(model.signature().inputs.at(0).name, "a");
  EXPECT_EQ(model.signature().batch()->name, "batch");

  const Tensor a = Tensor::of<float>({1, 2, 3, 4, 5, 6}, {2, 3});
  const Tensor b = Tensor::of<std::int64_t>({10, 20}, {2});
  const auto outputs = model.predict({a, b});
  ASSERT_EQ(outputs.size(), 2U);
  EXPECT_EQ(outputs[0].str(), "float32[2, 3]");
  EXPECT_EQ(outputs[1].str(), "int64[2]");
}

TEST(Model, WritesIntoMemoryThatIsThere) {
  const Model model = Model::load(archive_path("pair"));
  const Tensor a = Tensor::of<float>({1, 2, 3, 4, 5, 6}, {2, 3});
  const Tensor b = Tensor::of<std::int64_t>({10, 20}, {2});
  const auto expected = model.predict({a, b});
  const std::vector<Tensor> given{Tensor::empty(DType::float32, {2, 3}), Tensor::empty(DType::int64, {2})};
  model.predict({a, b}, given);
  for (std::size_t i = 0; i < given.size(); ++i)
    EXPECT_TRUE(compare(given[i], expected[i], Tolerance{}).bit_equal) << i;
  expect_error(ErrorCode::input, "wanted 2 outputs, got 1", [&] { model.predict({a, b}, {given[0]}); });
  const std::string name = model.signature().outputs.at(1).name;
  expect_error(ErrorCode::input, "output '" + name + "': wanted int64[2] for these inputs, got int64[3]",
               [&] {
                 model.predict({a, b}, {given[0], Tensor::empty(DType::int64, {3})});
               });
}

TEST(Model, ReproducesItsGoldenCases) {
  for (const char* name : {"mlp", "pair", "fixed", "empty_ok", "tiny"}) {
    const Archive archive = Archive::open(archive_path(name));
    const Report report = verify(Model::load(archive), archive);
    EXPECT_TRUE(report.passed()) << name;
    EXPECT_TRUE(report.bit_equal()) << name;
    EXPECT_EQ(report.cases, archive.manifest()->method("forward").cases);
    EXPECT_EQ(report.results.size(),
              report.cases * archive.manifest()->method("forward").signature.outputs.size());
    EXPECT_EQ(report.max_abs(), 0);
  }
}

TEST(Model, VerifyFindsWhatDiffers) {
  const Archive archive = Archive::open(archive_path("differs"));
  const Report report = verify(Model::load(archive), archive);
  EXPECT_FALSE(report.passed());
  ASSERT_NE(report.first_failure(), nullptr);
  EXPECT_GT(report.max_abs(), 0);
}

TEST(Model, RefusesInputsBeforeAnythingRuns) {
  const Model model = Model::load(archive_path("pair"));
  const Tensor a = Tensor::empty(DType::float32, {2, 3});
  expect_error(ErrorCode::input, "wanted 2 inputs (a, b), got 1", [&] { model.predict({a}); });
  expect_error(ErrorCode::input, "input 'b': wanted 'batch' = 2 as in input 'a'", [&] {
    model.predict({a, Tensor::empty(DType::int64, {3})});
  });
}

TEST(Model, AnEmptyBatchIsABatchWhereTheRangeSaysSo) {
  const Model model = Model::load(archive_path("empty_ok"));
  const TensorSpec& spec = model.signature().inputs.at(0);
  const auto outputs = model.predict({Tensor::empty(*spec.dtype, {0, spec.shape->at(1).size})});
  EXPECT_EQ(outputs.at(0).shape().front(), 0);
}

TEST(Model, AnArchiveFromElsewhereLoadsWithAWarning) {
  const Model model = Model::load(archive_path("plain"));
  ASSERT_EQ(model.warnings().size(), 1U);
  EXPECT_NE(model.warnings()[0].find("no manifest"), std::string::npos);
  EXPECT_FALSE(model.signature().inputs.at(0).dtype.has_value());
  EXPECT_TRUE(model.signature().outputs.empty());
}

TEST(Model, RefusesOptionsThatMeanNothing) {
  const Archive archive = Archive::open(archive_path("tiny"));
  expect_error(ErrorCode::usage, "is no device", [&] { Model::load(archive, {.device = "tpu"}); });
  expect_error(ErrorCode::usage, "threads",
               [&] { Model::load(archive, {.configuration = {.threads = -1}}); });
  expect_error(ErrorCode::unavailable, "native", [&] { Model::load(archive, {.engine = Engine::native}); });
}

TEST(Model, PredictsFromManyThreads) {
  const Archive archive = Archive::open(archive_path("mlp"));
  const Model model = Model::load(archive);
  const std::vector<Case> cases = archive.cases();
  std::vector<int> wrong(8, 0);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < wrong.size(); ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        const Case& one = cases[(t + static_cast<std::size_t>(i)) % cases.size()];
        if (!compare(model.predict(one.inputs)[0], one.outputs[0], Tolerance{}).bit_equal) ++wrong[t];
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(8, 0));
}

/// The promise of the digests: a flipped bit is found, or it changes nothing.
TEST(Model, NoFlippedBitChangesAPredictionInSilence) {
  const MappedFile file(archive_path("tiny"), ErrorCode::archive);
  const std::vector<std::byte> good(file.bytes().begin(), file.bytes().end());
  std::size_t refused = 0;
  std::size_t harmless = 0;
  for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
    std::vector<std::byte> flipped = good;
    flipped[bit / 8] ^= std::byte{1} << (bit % 8);
    try {
      const Archive archive = Archive::from_bytes(std::move(flipped), "flipped.pt");
      ASSERT_NE(archive.manifest(), nullptr) << "bit " << bit << " hides the manifest";
      const Report report = verify(Model::load(archive), archive);
      ASSERT_TRUE(report.bit_equal()) << "bit " << bit << " changes the prediction";
      ++harmless;
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::archive) << "bit " << bit << ": " << error.what();
      ++refused;
    }
  }
  EXPECT_GT(refused, harmless);
  RecordProperty("refused", static_cast<int>(refused));
  RecordProperty("harmless", static_cast<int>(harmless));
}

}  // namespace
}  // namespace kit
