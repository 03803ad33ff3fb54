#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <torch/csrc/jit/ir/ir.h>

#include "engines/torch_fusion_events.h"

namespace kit {

/// The groups of one executed graph, with the fallbacks that stand in for them, and which of them ran.
class FusionPlan {
 public:
  /// One place where something runs that a trace tells of.
  struct Site {
    torch::jit::Node* node = nullptr;
    std::string name;                              ///< of the group; empty for a fallback
    std::optional<std::size_t> guards = {};        ///< of a fallback: the site of its group
    std::shared_ptr<torch::jit::Graph> plan = {};  ///< of a fallback: its executed graph, once compiled
  };

  explicit FusionPlan(const std::shared_ptr<torch::jit::Graph>& graph);

  const std::vector<Site>& sites() const noexcept { return sites_; }

  /// The sites at which each of the events may have happened, given the order of all: one for each, where the
  /// graph leaves no doubt; none where the events are not those of this graph.
  std::vector<std::set<std::size_t>> match(const std::vector<FusionTrace::Event>& events) const;

 private:
  /// What a part of the graph can do: with which sites it can begin and end, and whether it can do nothing.
  struct Part {
    std::set<std::size_t> first, last;
    bool empty = true;
  };

  Part read(torch::jit::Block& block);
  Part read(torch::jit::Node& node);
  Part site(torch::jit::Node& node, std::string name, std::shared_ptr<torch::jit::Graph> plan);
  Part then(const Part& before, const Part& after);
  void follow(const Part& before, const Part& after);
  std::vector<std::set<std::size_t>> match(const std::vector<FusionTrace::Event>& events, bool by_name) const;

  std::vector<Site> sites_;
  std::map<std::size_t, std::set<std::size_t>> next_;  ///< the sites that can come right after one
  Part all_;
};

}  // namespace kit
