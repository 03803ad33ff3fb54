#pragma once

#include <cstdint>
#include <string>

namespace kit::endurance {

/// What a process holds at one time.
struct Footprint {
  std::int64_t resident = 0;     ///< bytes of memory
  std::int64_t mappings = 0;     ///< lines of /proc/self/maps
  std::int64_t descriptors = 0;  ///< open files
  std::int64_t files = 0;        ///< in the folder for temporary files, at any depth

  static Footprint now();

  /// As the members of a JSON object.
  std::string json() const;
};

}  // namespace kit::endurance
