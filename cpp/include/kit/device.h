#pragma once

#include <string>
#include <string_view>

namespace kit {

/// Where a tensor lives or a program runs.
struct Device {
  enum class Kind { cpu, cuda };

  Kind kind = Kind::cpu;
  int index = 0;  ///< which CUDA device; 0 on the CPU

  /// Reads "cpu", "cuda" (the same as "cuda:0") or "cuda:N". Throws a usage error for anything else.
  static Device parse(std::string_view text);

  /// "cpu" or "cuda:N".
  std::string str() const;

  bool operator==(const Device&) const = default;
};

}  // namespace kit
