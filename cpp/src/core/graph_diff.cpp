#include <kit/graph_diff.h>

#include <algorithm>
#include <set>

#include <kit/error.h>

#include "core/graph_match.h"

namespace kit {
namespace {

constexpr std::size_t longest_expression = 120;

DiffOperation describe(const GraphNode& node) {
  return {node.operation, node.outputs.empty() ? "" : node.outputs.front().name, node.line};
}

std::vector<DiffOperation> describe(const GraphView& graph, const std::set<std::size_t>& nodes) {
  std::vector<DiffOperation> operations;
  operations.reserve(nodes.size());
  for (const std::size_t node : nodes) operations.push_back(describe(graph[node]));
  return operations;
}

std::int64_t count_operations(const GraphView& graph) {
  std::int64_t count = 0;
  for (std::size_t i = 0; i < graph.size(); ++i) count += is_structure(graph[i]) ? 0 : 1;
  return count;
}

/// The operations that `last` needs, itself among them, as far as `takes` says.
template <typename Takes>
std::set<std::size_t> needed(const GraphView& graph, std::size_t last, const Takes& takes) {
  std::set<std::size_t> seen;
  std::set<std::size_t> operations;
  std::vector<std::size_t> waiting{last};
  while (!waiting.empty()) {
    const std::size_t node = waiting.back();
    waiting.pop_back();
    if (!seen.insert(node).second || !takes(node)) continue;
    if (!is_structure(graph[node])) operations.insert(node);
    for (const std::string& input : graph[node].inputs)
      if (const auto from = graph.producer(input)) waiting.push_back(*from);
  }
  return operations;
}

/// What a value is computed from, as nested calls.
std::string expression(const GraphView& graph, const std::string& value) {
  const auto from = graph.producer(value);
  if (!from) return "%" + value;
  const GraphNode& node = graph[*from];
  if (node.constant) return *node.constant;
  if (node.attribute) return *node.attribute;
  const bool list = node.operation == "prim::ListConstruct";
  std::string text = list ? "[" : node.operation + "(";
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    text += (i > 0 ? ", " : "") + expression(graph, node.inputs[i]);
    if (text.size() > longest_expression) return text;
  }
  return text + (list ? "]" : ")");
}

/// Sorts what a match has found into the lists of a GraphDiff.
class Sorter {
 public:
  Sorter(const GraphView& before, const GraphView& after)
      : before_(before), after_(after), match_(before, after) {}

  GraphDiff sort() {
    diff_.before = before_.graph().stage;
    diff_.after = after_.graph().stage;
    diff_.operations_before = count_operations(before_);
    diff_.operations_after = count_operations(after_);
    diff_.weights.assign(match_.weights.begin(), match_.weights.end());
    add_folded();
    add_rewritten();
    for (std::size_t i = 0; i < before_.size(); ++i)
      if (!is_structure(before_[i])) add_before(i);
    for (std::size_t i = 0; i < after_.size(); ++i)
      if (!is_structure(after_[i])) add_after(i);
    if (diff_.fused.empty()) diff_.alone.clear();
    return std::move(diff_);
  }

 private:
  void add_folded() {
    for (const auto& [last, constant] : match_.folded) {
      const auto operations = needed(
          before_, last, [&](std::size_t node) { return match_.constant(node) && !match_.partner(node); });
      if (operations.empty()) continue;
      explained_.insert(operations.begin(), operations.end());
      std::string text = expression(before_, before_[last].outputs.front().name);
      if (text.size() > longest_expression) text.clear();
      diff_.folded.push_back({describe(before_, operations), std::move(text),
                              after_[constant].constant.value_or(""), after_[constant].outputs.front().name});
    }
  }

  void add_rewritten() {
    for (const std::size_t node : match_.reweighted) {
      std::set<std::size_t> was{node};
      for (const auto& [left, value] : match_.left_out)
        if (origin(value) == node) was.insert(left);
      explained_.insert(was.begin(), was.end());
      diff_.rewritten.push_back({describe(before_, was), {describe(after_[*match_.partner(node)])}, true});
    }
    for (const auto& [last_was, last_is] : match_.rewritten) {
      const auto was = needed(before_, last_was, [&](std::size_t node) {
        return !match_.partner(node) && !explained_.contains(node);
      });
      const auto is = needed(after_, last_is, [&](std::size_t node) { return !match_.taken(node); });
      explained_.insert(was.begin(), was.end());
      replacements_.insert(is.begin(), is.end());
      if (!was.empty()) diff_.rewritten.push_back({describe(before_, was), describe(after_, is), false});
    }
  }

  /// The operation that gives the value, behind those that were left out.
  std::optional<std::size_t> origin(const std::string& value) const {
    const auto from = before_.producer(value);
    if (!from) return std::nullopt;
    const auto found = match_.left_out.find(*from);
    return found == match_.left_out.end() ? from : origin(found->second);
  }

  void add_before(std::size_t node) {
    if (explained_.contains(node)) return;
    const DiffOperation operation = describe(before_[node]);
    if (match_.merged.contains(node))
      diff_.merged.push_back(operation);
    else if (match_.partner(node))
      ++diff_.unchanged;
    else if (!before_.live(node))
      diff_.removed.push_back(operation);
    else if (match_.left_out.contains(node))
      diff_.left_out.push_back(operation);
    else if (match_.constant(node))
      diff_.folded.push_back({{operation}, "", "", ""});
    else
      diff_.rewritten.push_back({{operation}, {}, false});
  }

  void add_after(std::size_t node) {
    const GraphNode& is = after_[node];
    if (is.group) {
      if (diff_.fused.empty() || diff_.fused.back().group != *is.group)
        diff_.fused.push_back({*is.group, {}});
      diff_.fused.back().operations.push_back(describe(is));
    } else if (match_.taken(node) || replacements_.contains(node)) {
      diff_.alone.push_back({describe(is), is.pointwise.value_or(true)});
    }
    if (!match_.taken(node) && !replacements_.contains(node))
      diff_.added.push_back({describe(is), purpose(is)});
  }

  bool guarded(const GraphNode& node) const {
    const auto condition = node.inputs.empty() ? std::nullopt : condition_of(node);
    return condition && is_guard(after_[*condition]);
  }

  std::optional<std::size_t> condition_of(const GraphNode& node) const {
    return node.operation == "prim::If" ? after_.producer(node.inputs[0]) : std::nullopt;
  }

  std::string purpose(const GraphNode& node) const {
    if (is_guard(node)) return "checks the types that the group was compiled for";
    if (guarded(node)) return "runs the group where the check holds, else its fallback";
    if (node.group || !node.parent || !guarded(after_[static_cast<std::size_t>(*node.parent)])) return "";
    return node.block == 0 ? "tells the group its sizes"
                           : "the fallback: the operations of the group one by one";
  }

  const GraphView& before_;
  const GraphView& after_;
  GraphMatch match_;
  GraphDiff diff_;
  std::set<std::size_t> explained_;     ///< of the earlier graph
  std::set<std::size_t> replacements_;  ///< of the later graph
};

}  // namespace

Stage stage_before(Stage stage, bool frozen) {
  if (stage == Stage::traced)
    throw Error(ErrorCode::usage,
                "traced is the first stage: there is none before it to compare with; give frozen "
                "or optimized");
  return stage == Stage::optimized && frozen ? Stage::frozen : Stage::traced;
}

GraphDiff diff(const Graph& before, const Graph& after) {
  const GraphView was(before);
  const GraphView is(after);
  return Sorter(was, is).sort();
}

}  // namespace kit
