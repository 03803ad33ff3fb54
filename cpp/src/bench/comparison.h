#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "bench/interval.h"

namespace kit::bench {

/// One figure now, as a ratio to what it was: above 1 is slower, or more memory.
struct Ratio {
  std::string figure;  ///< "latency, batch = 64"
  Interval ratio;      ///< the bounds are those of both figures, at their worst

  /// Whether 1 is within the bounds: the difference may be chance.
  bool may_be_chance() const noexcept { return ratio.low <= 1 && ratio.high >= 1; }
};

struct Comparison {
  std::vector<Ratio> ratios;
  std::vector<std::string> missing;  ///< figures that only one of the two has
  std::vector<std::string> changes;  ///< what else is not as it was: "CPU: A, now B"

  /// The figures whose median is beyond the limit, the worst first.
  std::vector<Ratio> beyond(double limit) const;
};

/// Reads what `predictor bench --json` printed; `path` names it in messages. Throws a usage error if it is of
/// another format or of another version.
nlohmann::json parse_result(const std::string& text, const std::string& path);

/// Throws a usage error if the result is of another model than one of that name, method and signature.
void check_same_model(const nlohmann::json& result, const std::string& path, const std::string& name,
                      const std::string& method, const std::string& signature);

/// Compares two results, of which `old` was read from `path`. Throws a usage error if `old` has no figure in
/// common with `now`, or is damaged.
Comparison compare_results(const nlohmann::json& old, const nlohmann::json& now, const std::string& path);

}  // namespace kit::bench
