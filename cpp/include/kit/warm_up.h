#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace kit {

/// What it took to warm a model up: to call it with inputs of some sizes until nothing more is compiled.
struct WarmUp {
  /// What the model was called with: the sizes of the dims; empty maps for a model whose sizes are fixed.
  std::vector<std::map<std::string, std::int64_t>> sizes;
  std::int64_t calls = 0;         ///< in all
  std::int64_t compilations = 0;  ///< graphs that were compiled
  double milliseconds = 0;        ///< in all
  bool settled =
      true;  ///< whether for each of the sizes the last two calls compiled nothing and changed nothing

  /// "warmed up for batch = 1, 64: 9 calls, 83 ms, 3 graphs compiled".
  std::string str() const;
};

}  // namespace kit
