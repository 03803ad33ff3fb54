#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <kit/archive.h>
#include <kit/manifest.h>
#include <kit/warm_up.h>

#include "engines/program.h"

namespace kit {

/// Sizes of dims by name.
using Sizes = std::map<std::string, std::int64_t>;

/// "batch = 1, length = 16"; "its one size" if there are none.
std::string words(const Sizes& sizes);

/// Inputs to warm a method up with: those of the first golden case of each combination of sizes, of all there
/// are, or of those where each dim that is named in `wanted` has one of its sizes there. Throws a usage error
/// for a dim that the method has not, and for a size of which there is no case.
std::vector<std::vector<Tensor>> warm_up_inputs(
    const Archive& archive, const Method& method,
    const std::map<std::string, std::vector<std::int64_t>>& wanted);

/// Runs each of the inputs until two calls in a row compile nothing and leave the plans as they are, or until
/// it is clear that they won't. The sizes are left to the caller.
WarmUp warm_up(const Program& program, const std::vector<std::vector<Tensor>>& inputs);

}  // namespace kit
