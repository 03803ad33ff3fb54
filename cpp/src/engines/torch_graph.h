#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include <kit/graph.h>

#include "engines/execution.h"

namespace kit {

/// The graph of the execution's method at a stage. For `optimized`, an execution of its own runs the inputs
/// until nothing more is compiled.
Graph graph_at(const Execution& execution, Stage stage, const std::vector<at::Tensor>& inputs);

}  // namespace kit
