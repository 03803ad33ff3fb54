#pragma once

#include <functional>
#include <optional>
#include <string>

#include <kit/manifest.h>

#include "core/isa.h"

namespace kit {

/// What decides which programs run on a machine, and with this kit.
struct Host {
  Isa isa = Isa::other;
  std::string torch = {};  ///< the version of torch that kit was built against, or empty
  std::function<std::string(int)> gpu =
      nullptr;  ///< what programs for the CUDA device are compiled for, or empty

  /// This one. Throws a usage error if KIT_ISA is wrong.
  static Host here();

  /// Why the program cannot run on this host, in a few words without its engine; empty if it can, on a device
  /// of the kind that it was made for. `device` is the index of the CUDA device; without one, any will do.
  std::string obstacle(const ProgramInfo& program, std::optional<int> device = {}) const;

 private:
  std::string gpu_obstacle(const std::string& target, std::optional<int> device) const;
};

/// Whether the program was compiled for CUDA devices.
bool for_cuda(const ProgramInfo& program);

}  // namespace kit
