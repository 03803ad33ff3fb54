#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <kit/archive.h>
#include <kit/manifest.h>

namespace kit {

/// One program of an archive, and what this host makes of it.
struct ProgramStatus {
  ProgramInfo program;
  std::string obstacle;  ///< why this host cannot run it, in a few words; empty if it can
  bool verified =
      true;  ///< whether the exporting host has run it against the golden cases, or this one since
  std::uint64_t size = 0;       ///< bytes of the members that are this program's alone
  std::uint64_t constants = 0;  ///< bytes of its constants, which programs may share
};

/// The programs of the archive, in the order of the manifest; none is loaded. A program for CUDA can be run
/// if any CUDA device here is what it was compiled for. Throws a usage error if KIT_ISA is wrong.
std::vector<ProgramStatus> programs(const Archive& archive);

/// Why this host cannot run such a program, in a few words; empty if it can. Throws as `programs` does.
std::string obstacle_here(const ProgramInfo& program);

/// Whether a method of the program reproduced its golden cases: on the host that exported it, or on this one
/// as `record_verified` notes.
bool is_verified(const Archive& archive, const ProgramInfo& program, const std::string& method);

/// Notes for this user of this host that the method of the program reproduced its golden cases: an empty
/// file, named by the digests of the program and of the cases, in $XDG_STATE_HOME/kit/verified or, if that is
/// not set, ~/.local/state/kit/verified. Returns why this cannot be noted, or nothing if it is.
std::optional<std::string> record_verified(const Archive& archive, const ProgramInfo& program,
                                           const std::string& method);

}  // namespace kit
