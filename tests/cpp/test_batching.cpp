#include "io/batching.h"

#include <numeric>

#include "io/batches.h"
#include "io_helpers.h"

using kit::DType;
using kit::ErrorCode;
using kit::Signature;
using kit::Tensor;
using kit::io::Batches;
using kit::io::Batching;
using kit::io::Format;
using Kind = kit::io::Batching::Kind;

namespace {

/// Gives rows that hold their own number.
class Counter final : public kit::io::Reader {
 public:
  explicit Counter(std::int64_t total) : total_(total) {}

  std::optional<std::vector<Tensor>> next(std::int64_t rows) override {
    const std::int64_t count = std::min(rows, total_ - done_);
    if (count == 0) return std::nullopt;
    std::vector<float> values(static_cast<std::size_t>(count));
    std::iota(values.begin(), values.end(), static_cast<float>(done_));
    done_ += count;
    return std::vector<Tensor>{Tensor::of(values, {count, 1})};
  }

 private:
  std::int64_t total_;
  std::int64_t done_ = 0;
};

Signature rows(std::int64_t min, std::int64_t max) {
  return signature({spec("x", DType::float32, {-1, 1})}, {spec("output", DType::float32, {-1, 1})}, min, max);
}

/// Sizes of the batches; checks that all rows come once and in order.
std::vector<std::int64_t> sizes(const Signature& signature, std::int64_t total,
                                std::optional<std::int64_t> batch) {
  Counter counter(total);
  Batches batches(counter, signature, Batching::of(signature, Format::csv, batch), "file");
  std::vector<std::int64_t> result;
  float expected = 0;
  while (const auto inputs = batches.next()) {
    for (const float value : values<float>(inputs->front())) EXPECT_EQ(value, expected++);
    result.push_back(inputs->front().shape().front());
  }
  EXPECT_EQ(expected, static_cast<float>(total));
  EXPECT_EQ(batches.rows(), total);
  return result;
}

using Sizes = std::vector<std::int64_t>;

}  // namespace

TEST(Batching, RowsThatDependOnOneAnotherAreOneCall) {
  const Signature signature = rows(1, 3000);
  const auto sizes_of = [&](std::int64_t total, std::optional<std::int64_t> batch) {
    Counter counter(total);
    Batches batches(counter, signature, Batching::of(signature, Format::csv, batch, false), "file");
    Sizes result;
    while (const auto inputs = batches.next()) result.push_back(inputs->front().shape().front());
    return result;
  };
  EXPECT_EQ(sizes_of(3000, {}), Sizes{3000});
  EXPECT_EQ(sizes_of(3000, 1500), (Sizes{1500, 1500})) << "as the user wants it";
  expect_error(ErrorCode::input, {"file", "depend on one another", "more than 3000", "--batch"},
               [&] { sizes_of(3001, {}); });
}

TEST(Batching, RowsWhereADimLeads) {
  const Batching batching = Batching::of(rows(1, 4096), Format::npy);
  EXPECT_EQ(batching.kind, Kind::rows);
  EXPECT_EQ(batching.size, 1024);
  EXPECT_EQ(Batching::of(rows(1, 64), Format::csv).size, 64);
  EXPECT_EQ(Batching::of(rows(2000, 4096), Format::csv).size, 2000);
  EXPECT_EQ(Batching::of(rows(0, 64), Format::csv, 7).size, 7);
}

TEST(Batching, ADimThatStandsTwiceCannotBeCut) {
  const Signature square =
      signature({spec("x", DType::float32, {-1, -1})}, {spec("output", DType::float32, {-1})});
  EXPECT_EQ(Batching::of(square, Format::jsonl).kind, Kind::whole);
}

TEST(Batching, FixedRowsForLinesOfTextOnly) {
  const Signature fixed =
      signature({spec("x", DType::float32, {4, 3})}, {spec("output", DType::float32, {4, 1})});
  EXPECT_EQ(Batching::of(fixed, Format::csv).kind, Kind::fixed);
  EXPECT_EQ(Batching::of(fixed, Format::csv).size, 4);
  EXPECT_EQ(Batching::of(fixed, Format::npy).kind, Kind::whole);
  EXPECT_EQ(sizes(fixed, 8, {}), (Sizes{4, 4}));
  expect_error(ErrorCode::input, {"file", "exactly 4 rows", "9 rows"}, [&] { sizes(fixed, 9, {}); });
  expect_error(ErrorCode::usage, {"exactly 4"}, [&] { Batching::of(fixed, Format::csv, 2); });
}

TEST(Batching, WholeWhereNothingLeadsEverything) {
  const Signature sum = signature({spec("x", DType::float32, {-1, 3})}, {spec("output", DType::float32, {})});
  EXPECT_EQ(Batching::of(sum, Format::jsonl).kind, Kind::whole);
  expect_error(ErrorCode::usage, {"--batch 2", "no batch dimension"},
               [&] { Batching::of(sum, Format::jsonl, 2); });
}

TEST(Batching, WithoutAManifestOnlyCsvHasRows) {
  const Signature unknown{{unknown_spec("x")}, {}, {}};
  EXPECT_EQ(Batching::of(unknown, Format::csv).kind, Kind::rows);
  EXPECT_EQ(Batching::of(unknown, Format::csv, 100'000).size, 100'000);
  EXPECT_EQ(Batching::of(unknown, Format::npy).kind, Kind::whole);
}

TEST(Batching, ARequestOutsideOfTheRangeSaysTheRange) {
  for (const std::int64_t batch : {-1, 0, 1, 65})
    expect_error(ErrorCode::usage, {std::to_string(batch), "2 to 64"},
                 [&] { Batching::of(rows(2, 64), Format::csv, batch); });
}

TEST(Batches, TheLastMayBeSmaller) {
  EXPECT_EQ(sizes(rows(1, 64), 10, 4), (Sizes{4, 4, 2}));
  EXPECT_EQ(sizes(rows(1, 64), 8, 4), (Sizes{4, 4}));
}

TEST(Batches, ATooSmallLastOneTakesRowsFromTheOneBefore) {
  EXPECT_EQ(sizes(rows(3, 64), 13, 6), (Sizes{6, 4, 3}));
  EXPECT_EQ(sizes(rows(4, 64), 9, 4), (Sizes{4, 5}));
  expect_error(ErrorCode::input, {"file", "4 to 4", "--batch"}, [] { sizes(rows(4, 4), 9, 4); });
}

TEST(Batches, FewerRowsThanTheModelTakesAreAnInputError) {
  expect_error(ErrorCode::input, {"file", "3 rows or more", "only 2 rows came"},
               [] { sizes(rows(3, 64), 2, {}); });
}

TEST(Batches, NoRowsAreOneEmptyCallOrNone) {
  EXPECT_EQ(sizes(rows(0, 64), 0, {}), Sizes{0});
  EXPECT_EQ(sizes(rows(1, 64), 0, {}), Sizes{});
}
