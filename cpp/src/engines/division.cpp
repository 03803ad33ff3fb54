#include "engines/division.h"

#include <algorithm>

namespace kit {

Division divide(std::int64_t rows, std::int64_t per_thread, std::int64_t least, int threads) {
  constexpr std::int64_t parts_per_thread = 4, step = 64;
  Division division;
  division.threads = static_cast<std::size_t>(std::clamp<std::int64_t>(rows / per_thread, 1, threads));
  std::int64_t size = std::max(least, (per_thread + parts_per_thread - 1) / parts_per_thread);
  if (size > step) size = (size + step - 1) / step * step;
  // What is left over at the end is a part of its own, unless that has too few rows.
  division.starts.push_back(0);
  for (std::int64_t start = size; start + least <= rows; start += size) division.starts.push_back(start);
  division.starts.push_back(rows);
  return division;
}

}  // namespace kit
