#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kit {

/// How a call with so many rows is divided among threads.
struct Division {
  std::vector<std::int64_t> starts;  ///< where the parts begin and, at the end, the number of rows
  std::size_t threads = 1;           ///< how many threads pay, the caller's among them

  std::size_t parts() const noexcept { return starts.size() - 1; }
};

/// Divides rows among at most so many threads, if there are `per_thread` rows for each, in parts of at least
/// `least` rows; both are 1 or more. There are several parts for a thread, so that one that is late or
/// disturbed does fewer. They depend on the number of rows alone, and with them what is computed, to the bit.
/// Large parts begin at multiples of 64 rows, and so compute in whole vectors.
Division divide(std::int64_t rows, std::int64_t per_thread, std::int64_t least, int threads);

}  // namespace kit
