#pragma once

#include <memory>
#include <vector>

#include <ATen/core/ivalue.h>
#include <torch/csrc/jit/ir/ir.h>

namespace kit {

/// A fused group as a run came by it.
struct ObservedGroup {
  std::shared_ptr<const torch::jit::Graph> plan;  ///< keeps the node alive
  const torch::jit::Node* node = nullptr;         ///< the group
  int depth = 0;                          ///< of the plan: 0 for the outermost, 1 for a fallback in it
  std::vector<c10::IValue> inputs = {};   ///< copies of what the group got, strided as they were
  std::vector<c10::IValue> outputs = {};  ///< what its operations gave, run one by one
};

/// Runs an executed graph with the operations of its groups one by one, and gives the groups that the run
/// came by, those in fallbacks too, in order; a group in a loop once for each time. `arguments` are those of
/// the graph, the module first. The executor that the plan is of must be alive. Nothing is compiled.
std::vector<ObservedGroup> observe_groups(const std::shared_ptr<torch::jit::Graph>& plan,
                                          std::vector<c10::IValue> arguments);

/// Runs a graph as it is and gives its outputs.
std::vector<c10::IValue> run_graph(const std::shared_ptr<torch::jit::Graph>& graph,
                                   std::vector<c10::IValue> arguments);

/// The graph that a call of a compiled fallback executes, or that it is made of before that. Null if the node
/// is no call of a graph.
std::shared_ptr<torch::jit::Graph> called_graph(const torch::jit::Node& node);

}  // namespace kit
