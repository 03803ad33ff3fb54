#include "core/graph_view.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

namespace kit {
namespace {

template <std::size_t N>
bool any_of(const std::array<std::string_view, N>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Whether the node does something that its outputs do not tell of.
bool has_effect(const GraphNode& node) {
  constexpr std::array<std::string_view, 14> names{
      "prim::Print",   "prim::RaiseException", "prim::SetAttr",   "aten::warn",      "aten::manual_seed",
      "aten::append",  "aten::extend",         "aten::insert",    "aten::clear",     "aten::pop",
      "aten::popitem", "aten::Delete",         "aten::_set_item", "aten::setdefault"};
  const std::string& name = node.operation;
  const bool in_place = name.ends_with('_') && !name.ends_with("__");
  return in_place || any_of(names, name);
}

}  // namespace

bool is_structure(const GraphNode& node) {
  constexpr std::array<std::string_view, 8> names{
      "prim::Constant",   "prim::GetAttr",    "prim::TupleConstruct", "prim::TupleUnpack",
      "prim::TupleIndex", "prim::TupleSlice", "prim::ListConstruct",  "prim::ListUnpack"};
  return any_of(names, node.operation);
}

bool is_guard(const GraphNode& node) {
  constexpr std::array<std::string_view, 2> names{"prim::TypeCheck", "prim::TensorExprDynamicGuard"};
  return any_of(names, node.operation);
}

GraphView::GraphView(const Graph& graph) : graph_(&graph), live_(graph.nodes.size(), false) {
  for (std::size_t i = 0; i < size(); ++i)
    for (const GraphValue& output : graph.nodes[i].outputs) producers_[output.name] = i;
  find_aliases();
  mark_live();
}

const std::string& GraphView::first(const std::string& value) const {
  const std::string* name = &value;
  for (auto found = aliases_.find(*name); found != aliases_.end(); found = aliases_.find(*name))
    name = &found->second;
  return *name;
}

std::optional<std::size_t> GraphView::producer(const std::string& value) const {
  const auto found = producers_.find(first(value));
  return found == producers_.end() ? std::nullopt : std::optional(found->second);
}

void GraphView::find_aliases() {
  for (const GraphNode& node : graph_->nodes) {
    if (node.operation == "prim::If" || is_guard(node))
      alias_guarded(node);
    else if (node.operation == "prim::TupleUnpack" || node.operation == "prim::TupleIndex")
      alias_tuple(node);
  }
}

/// A guard gives what it takes, then whether it holds; and the prim::If after it what the group gives.
void GraphView::alias_guarded(const GraphNode& node) {
  if (is_guard(node)) {
    if (node.outputs.size() != node.inputs.size() + 1) return;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) aliases_[node.outputs[i].name] = node.inputs[i];
    return;
  }
  const auto condition = node.inputs.empty() ? std::nullopt : producer(node.inputs[0]);
  if (!condition || !is_guard((*this)[*condition]) || node.blocks.empty()) return;
  const std::vector<std::string>& given = node.blocks[0].outputs;
  for (std::size_t i = 0; i < std::min(given.size(), node.outputs.size()); ++i)
    if (given[i] != node.outputs[i].name) aliases_[node.outputs[i].name] = given[i];
}

void GraphView::alias_tuple(const GraphNode& node) {
  const auto made = producer(node.inputs.at(0));
  if (!made || (*this)[*made].operation != "prim::TupleConstruct") return;
  const std::vector<std::string>& elements = (*this)[*made].inputs;
  if (node.operation == "prim::TupleUnpack") {
    for (std::size_t i = 0; i < std::min(elements.size(), node.outputs.size()); ++i)
      aliases_[node.outputs[i].name] = elements[i];
    return;
  }
  const auto index = node.inputs.size() > 1 ? producer(node.inputs[1]) : std::nullopt;
  if (!index || !(*this)[*index].constant) return;
  const std::string& text = *(*this)[*index].constant;
  std::int64_t at = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), at).ec != std::errc()) return;
  if (at < 0) at += static_cast<std::int64_t>(elements.size());
  if (at >= 0 && at < static_cast<std::int64_t>(elements.size()))
    aliases_[node.outputs.at(0).name] = elements[static_cast<std::size_t>(at)];
}

void GraphView::mark_live() {
  std::vector<std::size_t> waiting;
  const auto need_node = [&](std::size_t node) {
    if (!live_[node]) live_[node] = true, waiting.push_back(node);
  };
  const auto need = [&](const std::string& value) {
    if (const auto node = producer(value)) need_node(*node);
  };
  for (const std::string& output : graph_->outputs) need(output);
  for (std::size_t i = 0; i < size(); ++i)
    if (has_effect((*this)[i])) need_node(i);
  while (!waiting.empty()) {
    const GraphNode& node = (*this)[waiting.back()];
    waiting.pop_back();
    for (const std::string& input : node.inputs) need(input);
    for (const GraphBlock& block : node.blocks)
      for (const std::string& output : block.outputs) need(output);
    if (node.parent) need_node(static_cast<std::size_t>(*node.parent));
  }
}

}  // namespace kit
