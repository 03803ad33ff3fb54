#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kit {

/// What a native program says that it is: see kit_program_description in kit/program.h.
struct ProgramDescription {
  std::string method;
  std::string target;
  std::vector<std::uint64_t> constants;  ///< their sizes in bytes
  /// Set if no row of a batch depends on another, so that a call may be divided among threads: the fewest
  /// rows for which a thread pays.
  std::optional<std::int64_t> rows_per_thread = {};

  /// Reads the JSON text. Throws an archive error that names `where` if it is no description.
  static ProgramDescription parse(std::string_view json, const std::string& where);
};

}  // namespace kit
