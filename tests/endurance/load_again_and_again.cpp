#include <chrono>

#include "endurance/campaigns.h"

namespace kit::endurance {

Outcome load_again_and_again(const Subject& subject, std::int64_t cycles, double seconds) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  Outcome outcome;
  for (; outcome.done < cycles; ++outcome.done) {
    if (outcome.done == 100) outcome.before = Footprint::now();
    outcome.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    if (outcome.done > 100 && outcome.seconds > seconds) break;
    const Model model = subject.load_anew();
    const std::size_t index = static_cast<std::size_t>(outcome.done) % subject.cases();
    outcome.wrong += subject.predicts(model, index) ? 0 : 1;
  }
  outcome.after = Footprint::now();
  return outcome;
}

}  // namespace kit::endurance
