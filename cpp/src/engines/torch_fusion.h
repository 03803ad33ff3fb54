#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include <kit/fusion.h>

#include "engines/execution.h"

namespace kit {

/// What is fused when these inputs are run, each `calls` times, in an execution of its own with the
/// configuration of the given one.
FusionReport fusion_of(const Execution& execution, const std::vector<std::vector<at::Tensor>>& inputs,
                       int calls);

}  // namespace kit
