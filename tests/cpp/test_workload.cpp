#include "bench/workload.h"

#include <cstring>

#include <gtest/gtest.h>

#include <kit/error.h>

#include "archive_builder.h"

namespace kit::bench {
namespace {

using test::ArchiveBuilder;

Archive archive_of(const ArchiveBuilder& builder) {
  return Archive::from_bytes(test::bytes_of(builder.build()), "model.pt");
}

ErrorCode code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::internal;
}

/// The archive has one case of one row or more: the inputs are those, and then they begin again.
TEST(Workload, GoldenCasesComeFirstAndRepeat) {
  const Archive archive = archive_of({});
  const Workload workload(archive, "forward");
  const Tensor golden = archive.cases().front().inputs.front();
  const std::int64_t rows = golden.shape().front();
  const std::vector<Sizes> sizes = workload.sizes();
  ASSERT_EQ(sizes.size(), 1U);
  EXPECT_EQ(sizes.front(), (Sizes{{"batch", rows}}));
  EXPECT_EQ(workload.origin(sizes.front()), "golden cases");
  EXPECT_EQ(workload.rows(sizes.front()), rows);
  EXPECT_EQ(std::memcmp(workload.inputs(sizes.front()).front().data(), golden.data(), golden.nbytes()), 0);

  for (const std::int64_t batch : {1, 2, 3, 4}) {
    const Sizes wanted = workload.with_batch(batch);
    const Tensor input = workload.inputs(wanted).front();
    EXPECT_EQ(input.shape(), (Shape{batch, 2}));
    for (std::int64_t i = 0; i < input.numel(); ++i)
      EXPECT_EQ(input.data_as<float>()[i], golden.data_as<float>()[i % golden.numel()]);
    workload.signature().check_inputs({input});
    if (batch != rows) {
      EXPECT_EQ(workload.origin(wanted), "golden cases and their rows repeated");
    }
  }
}

TEST(Workload, WithoutCasesValuesAreRandomAndTheSameEachTime) {
  ArchiveBuilder builder;
  builder.manifest["cases"]["count"] = 0;
  std::erase_if(builder.members,
                [](const auto& member) { return member.first.find("cases") != std::string::npos; });
  const Workload workload(archive_of(builder), "forward");
  const std::vector<Sizes> sizes = workload.sizes();
  ASSERT_EQ(sizes.size(), 1U) << "64 and 1024 are out of range";
  EXPECT_EQ(sizes.front(), (Sizes{{"batch", 1}}));
  EXPECT_EQ(workload.origin(sizes.front()), "random values");
  const Tensor one = workload.inputs(workload.with_batch(4)).front();
  const Tensor two = workload.inputs(workload.with_batch(4)).front();
  workload.signature().check_inputs({one});
  EXPECT_EQ(std::memcmp(one.data(), two.data(), one.nbytes()), 0);
  for (std::int64_t i = 0; i < one.numel(); ++i) {
    EXPECT_GE(one.data_as<float>()[i], -1);
    EXPECT_LE(one.data_as<float>()[i], 1);
  }
  EXPECT_NE(one.data_as<float>()[0], one.data_as<float>()[1]);
}

TEST(Workload, ABatchOutOfRangeIsAnInputError) {
  const Workload workload(archive_of({}), "forward");
  for (const std::int64_t batch : {-1, 0, 5})
    EXPECT_EQ(code_of([&] { workload.with_batch(batch); }), ErrorCode::usage) << batch;
}

TEST(Workload, AnArchiveWithoutAManifestHasNoInputs) {
  const std::string plain = ArchiveBuilder::zip({{"model/data.pkl", "x"}, {"model/constants.pkl", "x"}});
  EXPECT_EQ(code_of([&] { Workload(Archive::from_bytes(test::bytes_of(plain), "plain.pt"), "forward"); }),
            ErrorCode::archive);
  EXPECT_EQ(code_of([&] { Workload(archive_of({}), "encode"); }), ErrorCode::usage);
}

}  // namespace
}  // namespace kit::bench
