#include <atomic>
#include <barrier>
#include <chrono>

#include "endurance/campaigns.h"
#include "endurance/workers.h"

namespace kit::endurance {
namespace {

std::int64_t wrong_predictions(const Subject& subject, const Model& model, std::int64_t count,
                               std::uint64_t seed) {
  std::int64_t wrong = 0;
  for (std::int64_t i = 0; i < count; ++i)
    wrong += subject.predicts(model, draw(seed) % subject.cases()) ? 0 : 1;
  return wrong;
}

}  // namespace

Outcome predict_at_once(const Subject& subject, int threads, std::int64_t predictions, std::uint64_t seed) {
  using Clock = std::chrono::steady_clock;
  const Model model = subject.load();
  Outcome outcome;
  std::atomic<std::int64_t> wrong = 0;
  // Measured while all threads are here: one that ends gives back what is its own.
  std::barrier together(threads, [&, first = true]() mutable noexcept {
    (first ? outcome.before : outcome.after) = Footprint::now();
    first = false;
  });
  const Clock::time_point start = Clock::now();
  in_threads(threads, [&](int index) {
    const std::int64_t mine = predictions / threads + (index < predictions % threads ? 1 : 0);
    const std::uint64_t own = seed + static_cast<std::uint64_t>(index) * 1000003;
    try {
      wrong += wrong_predictions(subject, model, mine / 10, own);
      together.arrive_and_wait();
      wrong += wrong_predictions(subject, model, mine - mine / 10, own + 1);
    } catch (...) {
      together.arrive_and_drop();
      throw;
    }
    together.arrive_and_wait();
  });
  outcome.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  outcome.done = predictions;
  outcome.wrong = wrong;
  return outcome;
}

}  // namespace kit::endurance
