#pragma once

#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>

#include <kit/bisect.h>

#include "engines/execution.h"

namespace kit {

/// The tensors in what a method returned, in order.
using TensorsOf = std::function<std::vector<at::Tensor>(const c10::IValue& returned)>;

/// Runs the cases fused and unfused, each in an execution of its own, and finds the group and the operation
/// that make the first difference. Name, method and names of outputs are the caller's to fill in.
Bisection bisect_fusion(const Execution& execution, const std::vector<std::vector<at::Tensor>>& cases,
                        const BisectOptions& options, const TensorsOf& tensors_of);

}  // namespace kit
