#include "engines/torch_fusion_plan.h"

#include <algorithm>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/passes/utils/subgraph_utils.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

namespace kit {
namespace {

namespace jit = torch::jit;

using Sites = std::set<std::size_t>;

/// The fallback that the node calls, or null.
jit::GraphFunction* fallback_of(jit::Node& node) {
  if (node.kind() != c10::prim::CallFunction) return nullptr;
  const auto type = node.input(0)->type()->cast<c10::FunctionType>();
  if (type == nullptr || type->function()->name() != "fallback_function") return nullptr;
  return jit::tryToGraphFunction(*type->function());
}

std::shared_ptr<jit::Graph> plan_of(jit::GraphExecutor& executor) {
  if (!executor.isOptimized()) return nullptr;
  const auto state = executor.getDebugState();
  return state.execution_plans.empty() ? nullptr : state.execution_plans.begin()->second.graph;
}

}  // namespace

FusionPlan::FusionPlan(const std::shared_ptr<jit::Graph>& graph) { all_ = read(*graph->block()); }

FusionPlan::Part FusionPlan::read(jit::Block& block) {
  Part whole;
  for (jit::Node* node : block.nodes()) whole = then(whole, read(*node));
  return whole;
}

FusionPlan::Part FusionPlan::read(jit::Node& node) {
  if (node.kind() == c10::prim::TensorExprGroup)
    return site(node, jit::SubgraphUtils::generateNameForGraph(node.g(c10::attr::Subgraph)), nullptr);
  if (jit::GraphFunction* fallback = fallback_of(node)) {
    Part part = site(node, {}, plan_of(fallback->get_executor()));
    return part;
  }
  if (node.kind() == c10::prim::If) {
    // One of the two. Torch guards a group so: the group in the one, its fallback in the other.
    const std::size_t start = sites_.size();
    Part part = read(*node.blocks()[0]);
    const bool guard = sites_.size() == start + 1 && !sites_[start].name.empty();
    const std::size_t middle = sites_.size();
    const Part other = read(*node.blocks()[1]);
    if (guard && sites_.size() == middle + 1 && sites_[middle].name.empty()) sites_[middle].guards = start;
    part.first.insert(other.first.begin(), other.first.end());
    part.last.insert(other.last.begin(), other.last.end());
    part.empty = part.empty || other.empty;
    return part;
  }
  Part part;
  for (jit::Block* inner : node.blocks()) part = then(part, read(*inner));
  if (node.kind() == c10::prim::Loop) {
    follow(part, part);
    part.empty = true;
  }
  return part;
}

FusionPlan::Part FusionPlan::site(jit::Node& node, std::string name, std::shared_ptr<jit::Graph> plan) {
  sites_.push_back({.node = &node, .name = std::move(name), .plan = std::move(plan)});
  const Sites only{sites_.size() - 1};
  return {only, only, false};
}

void FusionPlan::follow(const Part& before, const Part& after) {
  for (const std::size_t last : before.last) next_[last].insert(after.first.begin(), after.first.end());
}

FusionPlan::Part FusionPlan::then(const Part& before, const Part& after) {
  follow(before, after);
  Part both{before.first, after.last, before.empty && after.empty};
  if (before.empty) both.first.insert(after.first.begin(), after.first.end());
  if (after.empty) both.last.insert(before.last.begin(), before.last.end());
  return both;
}

std::vector<Sites> FusionPlan::match(const std::vector<FusionTrace::Event>& events) const {
  // Torch names the kernel before it compiles the group, which may replace an operation by another.
  std::vector<Sites> found = match(events, true);
  const bool none = std::any_of(found.begin(), found.end(), [](const Sites& one) { return one.empty(); });
  return none ? match(events, false) : found;
}

std::vector<Sites> FusionPlan::match(const std::vector<FusionTrace::Event>& events, bool by_name) const {
  const auto fits = [&](std::size_t site, const FusionTrace::Event& event) {
    const bool fallback = sites_[site].name.empty();
    if (fallback || event.fallback != nullptr) return fallback == (event.fallback != nullptr);
    return !by_name || sites_[site].name == event.group;
  };
  std::vector<Sites> found(events.size());
  for (std::size_t i = 0; i < events.size(); ++i) {
    Sites reached;
    if (i == 0) {
      reached = all_.first;
    } else {
      for (const std::size_t before : found[i - 1])
        if (const auto after = next_.find(before); after != next_.end())
          reached.insert(after->second.begin(), after->second.end());
    }
    std::erase_if(reached, [&](std::size_t site) { return !fits(site, events[i]); });
    found[i] = std::move(reached);
  }
  // What leads nowhere was not there.
  for (std::size_t i = events.size(); i-- > 0;) {
    std::erase_if(found[i], [&](std::size_t site) {
      if (i + 1 == events.size()) return !all_.last.contains(site);
      const auto after = next_.find(site);
      return after == next_.end() ||
             std::none_of(after->second.begin(), after->second.end(),
                          [&](std::size_t one) { return found[i + 1].contains(one); });
    });
  }
  return found;
}

}  // namespace kit
