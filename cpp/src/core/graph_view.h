#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <kit/graph.h>

namespace kit {

/// Whether the node holds or bundles values, and computes nothing: constants, weights, tuples, lists.
bool is_structure(const GraphNode& node);

/// Whether the node checks the types that a fused group was compiled for.
bool is_guard(const GraphNode& node);

/// A graph as one reads it for its data flow: what gives a value, whether that is used, and which values are
/// the same one under several names (in and out of tuples, through guards).
class GraphView {
 public:
  explicit GraphView(const Graph& graph);

  std::size_t size() const noexcept { return graph_->nodes.size(); }
  const Graph& graph() const noexcept { return *graph_; }
  const GraphNode& operator[](std::size_t node) const { return graph_->nodes[node]; }

  /// The name under which the value is first known.
  const std::string& first(const std::string& value) const;

  /// The node that gives the value, unless it is an input of the graph or of a block.
  std::optional<std::size_t> producer(const std::string& value) const;

  /// Whether an output, or an effect on something outside, depends on the node.
  bool live(std::size_t node) const { return live_[node]; }

 private:
  void find_aliases();
  void alias_guarded(const GraphNode& node);
  void alias_tuple(const GraphNode& node);
  void mark_live();

  const Graph* graph_;
  std::unordered_map<std::string, std::size_t> producers_;
  std::unordered_map<std::string, std::string> aliases_;
  std::vector<bool> live_;
};

}  // namespace kit
