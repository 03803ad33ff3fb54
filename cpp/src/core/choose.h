#pragma once

#include <string>
#include <vector>

#include <kit/archive.h>
#include <kit/device.h>
#include <kit/model.h>

#include "core/host.h"

namespace kit {

/// What a program is wanted for.
struct Wanted {
  Engine engine = Engine::automatic;
  std::string target = {};  ///< the best that the host supports, if empty
  Device device = {};
  std::string method = "forward";
};

struct Choice {
  Engine engine = Engine::torchscript;
  ProgramInfo program;  ///< as in the manifest; of an archive from elsewhere, TorchScript for any target
  std::vector<std::string> notes;  ///< why the faster programs were not taken, one sentence each
};

/// Why the program cannot be taken for what is wanted, in a few words; empty if it can.
std::string obstacle(const ProgramInfo& program, const Wanted& wanted, const Host& host);

/// The program to take: of the engine and the target that are asked for, or of the fastest engine that has
/// one for this host, the device and the method, the one for the best target. Throws an unavailable error
/// that says why if there is none.
Choice choose(const Archive& archive, const Wanted& wanted, const Host& host);

}  // namespace kit
