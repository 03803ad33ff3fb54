#pragma once

#include <cstdint>
#include <vector>

#include "endurance/footprint.h"
#include "endurance/subject.h"

namespace kit::endurance {

/// What a campaign found: how often a result had other bits than in one thread, and what the process held
/// after its beginning and at its end.
struct Outcome {
  std::int64_t done = 0;
  std::int64_t wrong = 0;
  double seconds = 0;
  Footprint before;
  Footprint after;
};

/// One model, predicted from so many threads at once, with inputs of all sizes in random order. The first
/// tenth counts for the results and not for the memory: until then each thread has its own.
Outcome predict_at_once(const Subject& subject, int threads, std::int64_t predictions, std::uint64_t seed);

/// The archive is opened, the model loaded, used once and destroyed, again and again, until the count is
/// reached or the seconds are over; the first hundred times do not count for the memory.
Outcome load_again_and_again(const Subject& subject, std::int64_t cycles, double seconds);

/// Threads that load models of all subjects, predict with those that others have loaded, move them and
/// destroy them, in an order that the seed says for each thread. `done` counts predictions.
Outcome interleave(const std::vector<Subject>& subjects, int threads, std::int64_t steps, std::uint64_t seed);

}  // namespace kit::endurance
