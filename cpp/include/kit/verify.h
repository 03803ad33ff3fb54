#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <kit/archive.h>
#include <kit/compare.h>
#include <kit/model.h>

namespace kit {

/// How one output of one golden case came out, in the run with the worst difference.
struct OutputResult {
  std::int64_t case_index = 0;
  std::string output;  ///< name of the output
  Difference difference;
};

/// The outcome of replaying golden cases.
struct Report {
  Engine engine = Engine::automatic;
  std::string method;  ///< the one that was replayed
  std::int64_t cases = 0;
  std::vector<OutputResult> results;  ///< one for each output of each case, in order

  bool passed() const noexcept;
  bool bit_equal() const noexcept;
  double max_abs() const noexcept;  ///< the largest absolute difference of all
  double max_rel() const noexcept;
  /// The first result beyond its tolerance, or null.
  const OutputResult* first_failure() const noexcept;
};

/// Replays the golden cases that `archive` has for the method of `model`, and compares: once, or
/// three times where the program is fused, for fused code runs from the second call on. If the method has a
/// seed, the random generators are seeded before each call, and stay as the last one leaves them. A
/// difference is reported in the result; a method without cases throws an archive error.
Report verify(const Model& model, const Archive& archive);

}  // namespace kit
