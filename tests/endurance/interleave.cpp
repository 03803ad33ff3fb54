#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <utility>

#include "endurance/campaigns.h"
#include "endurance/workers.h"

namespace kit::endurance {
namespace {

/// A model that threads hand to one another, with what it is of. Whoever lets go of it last destroys it.
struct Shared {
  const Subject* subject = nullptr;
  std::shared_ptr<const Model> model;
};

/// Where they lie for the others.
class Table {
 public:
  Shared get(std::size_t index) {
    const std::lock_guard lock(mutex_);
    return places_[index % places_.size()];
  }

  /// What was there goes when this returns, outside of the lock.
  Shared put(std::size_t index, Shared shared) {
    const std::lock_guard lock(mutex_);
    return std::exchange(places_[index % places_.size()], std::move(shared));
  }

 private:
  std::mutex mutex_;
  std::array<Shared, 6> places_;
};

/// A model of the thread's own: moved about, used in between, and destroyed at the end.
std::int64_t move_about(const Subject& subject, Model model, std::uint64_t& state) {
  Model other = std::move(model);
  const std::size_t index = draw(state) % subject.cases();
  const bool right = subject.predicts(other, index);
  model = std::move(other);
  return (right && subject.predicts(model, index)) ? 0 : 1;
}

}  // namespace

Outcome interleave(const std::vector<Subject>& subjects, int threads, std::int64_t steps,
                   std::uint64_t seed) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  Table table;
  Outcome outcome;
  std::atomic<std::int64_t> done = 0;
  std::atomic<std::int64_t> wrong = 0;
  outcome.before = Footprint::now();
  in_threads(threads, [&](int index) {
    std::uint64_t state = seed * 7919 + static_cast<std::uint64_t>(index);
    for (std::int64_t step = 0; step < steps; ++step) {
      const Subject& subject = subjects[draw(state) % subjects.size()];
      const std::uint64_t place = draw(state);
      switch (draw(state) % 8) {
        case 0:
          table.put(place, {&subject, std::make_shared<const Model>(subject.load())});
          break;
        case 1:
          table.put(place, {&subject, std::make_shared<const Model>(subject.load_anew())});
          break;
        case 2:
          table.put(place, {});
          break;
        case 3:
          wrong += move_about(subject, subject.load(), state);
          done += 2;
          break;
        default:
          const Shared shared = table.get(place);
          if (shared.model == nullptr) break;
          for (int i = 0; i < 5; ++i) {
            wrong += shared.subject->predicts(*shared.model, draw(state) % shared.subject->cases()) ? 0 : 1;
            ++done;
          }
      }
    }
  });
  for (std::size_t place = 0; place < 6; ++place) table.put(place, {});
  outcome.after = Footprint::now();
  outcome.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  outcome.done = done;
  outcome.wrong = wrong;
  return outcome;
}

}  // namespace kit::endurance
