#include "io/prefetch.h"

#include <atomic>
#include <limits>
#include <thread>

#include "io_helpers.h"

using kit::DType;
using kit::ErrorCode;
using kit::Tensor;
using kit::io::Batches;
using kit::io::Batching;
using kit::io::Format;
using kit::io::Prefetch;

namespace {

constexpr std::size_t row_bytes = sizeof(float);
constexpr std::int64_t endless = std::numeric_limits<std::int64_t>::max();

/// Gives one row after another, each holding its number, and fails at `bad`.
class Numbers final : public kit::io::Reader {
 public:
  Numbers(std::int64_t total, std::int64_t bad) : total_(total), bad_(bad) {}

  std::optional<std::vector<Tensor>> next(std::int64_t /*rows*/) override {
    if (given == bad_) throw kit::Error(ErrorCode::input, "row " + std::to_string(bad_) + " is bad");
    if (given == total_) return std::nullopt;
    return std::vector<Tensor>{Tensor::of<float>({static_cast<float>(given++)}, {1, 1})};
  }

  std::atomic<std::int64_t> given = 0;

 private:
  std::int64_t total_;
  std::int64_t bad_;
};

struct Source {
  explicit Source(std::int64_t total, std::int64_t bad = -1)
      : numbers(total, bad), batches(numbers, signature, Batching::of(signature, Format::csv, 1), "file") {}

  kit::Signature signature =
      ::signature({spec("x", DType::float32, {-1, 1})}, {spec("output", DType::float32, {-1, 1})});
  Numbers numbers;
  Batches batches;
};

}  // namespace

TEST(Prefetch, GivesWhatIsReadInItsOrder) {
  for (const std::size_t most_bytes : {std::size_t{0}, 10 * row_bytes, std::size_t{1} << 20}) {
    Source source(1000);
    Prefetch ahead(source.batches, most_bytes);
    float expected = 0;
    while (const auto inputs = ahead.next()) EXPECT_EQ(values<float>(inputs->front()).at(0), expected++);
    EXPECT_EQ(expected, 1000);
    EXPECT_EQ(source.batches.rows(), 1000);
    EXPECT_FALSE(ahead.next().has_value());
  }
}

TEST(Prefetch, AFailureComesInItsTurn) {
  Source source(1000, 3);
  Prefetch ahead(source.batches, 1 << 20);
  for (int i = 0; i < 2; ++i)
    EXPECT_TRUE(ahead.next().has_value());  // the third is held back: it may be the last
  const auto take = [&] {
    while (ahead.next()) {
    }
  };
  expect_error(ErrorCode::input, "row 3 is bad", take);
  expect_error(ErrorCode::input, "row 3 is bad", take);
}

TEST(Prefetch, ReadsNoFurtherThanItMay) {
  Source source(endless);
  constexpr std::int64_t most_rows = 10;
  Prefetch ahead(source.batches, most_rows * row_bytes);
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(ahead.next().has_value());
    std::this_thread::yield();
    // Taken so far, what may wait, the one that goes beyond, and the one that Batches looks ahead.
    ASSERT_LE(source.numbers.given, i + 1 + most_rows + 2);
  }
}

TEST(Prefetch, EndsInTheMiddle) {
  for (int taken = 0; taken < 20; ++taken) {
    Source source(endless);
    Prefetch ahead(source.batches, 5 * row_bytes);
    for (int i = 0; i < taken; ++i) EXPECT_TRUE(ahead.next().has_value());
  }
}
