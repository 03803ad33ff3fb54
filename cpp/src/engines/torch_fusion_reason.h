#pragma once

#include <string>

#include <torch/csrc/jit/ir/ir.h>

namespace kit {

/// Whether the node computes something, rather than hold the graph together, as constants, lists and branches
/// do.
bool is_operation(const torch::jit::Node& node);

/// Why torch's fuser has put the operation into no group, in one clause. The node is of the graph that the
/// fuser was given, with the types of the profile; `dynamic` says whether it fused for varying sizes.
std::string reason_left_out(torch::jit::Node& node, bool dynamic);

}  // namespace kit
