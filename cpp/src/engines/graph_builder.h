#pragma once

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>

#include <kit/graph.h>

namespace kit {

/// A graph of torch's as one of kit's: fused groups are replaced by what is in them, and weights have their
/// paths. `module` is the one that the graph is of; `loaded` is that before it was frozen, whose weights are
/// found again among the constants. Stage and method are the caller's to fill in.
Graph build_graph(const torch::jit::Graph& graph, const torch::jit::Module& module,
                  const torch::jit::Module& loaded);

}  // namespace kit
