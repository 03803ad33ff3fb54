#pragma once

#include <string>
#include <vector>

#include <kit/archive.h>
#include <kit/model.h>

namespace kit {

struct Choice {
  Engine engine = Engine::torchscript;
  std::vector<std::string> notes;  ///< why the other engines were not taken, one sentence each
};

/// The engine to take for this archive: the one asked for, or the fastest that it has a program for and
/// this version of kit can run. Throws an unavailable error that says why if there is none.
Choice choose(const Archive& archive, Engine asked);

}  // namespace kit
