#include "engines/division.h"

#include <algorithm>

namespace kit {

Division divide(std::int64_t rows, std::int64_t per_thread, std::int64_t least, int threads) {
  constexpr std::int64_t parts_per_thread = 8, step = 64;
  Division division;
  division.threads = static_cast<std::size_t>(std::clamp<std::int64_t>(rows / per_thread, 1, threads));
  std::int64_t size = std::max(least, (per_thread + parts_per_thread - 1) / parts_per_thread);
  if (size > step) size = (size + step - 1) / step * step;
  // The last part takes what is left over, which may be too few rows for one of its own.
  for (std::int64_t start = 0; start + size <= rows; start += size) division.starts.push_back(start);
  if (division.starts.empty()) division.starts.push_back(0);
  division.starts.push_back(rows);
  return division;
}

}  // namespace kit
