#pragma once

#include <optional>

#include <torch/csrc/jit/ir/ir.h>

#include <kit/graph.h>

namespace kit {

/// The line of code that a node comes from, if it is known. Passes of torch's keep it.
std::optional<CodeLine> code_line(const torch::jit::Node& node);

}  // namespace kit
