#include "core/graph_match.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>

namespace kit {
namespace {

/// How many operations in a row may have been left out.
constexpr int deepest = 8;

bool is_constant(const GraphNode& node) { return node.operation == "prim::Constant"; }

bool is_weight(const GraphNode& node) { return node.operation == "prim::GetAttr" && node.attribute; }

/// Whether the constant is a number or a truth value, by its text: a tensor of several elements has none.
bool is_number(const GraphNode& node) {
  const std::string text = node.constant.value_or("");
  if (text == "True" || text == "False" || text == "None") return true;
  char* end = nullptr;
  std::strtod(text.c_str(), &end);
  return !text.empty() && *end == '\0';
}

/// Whether the text of the constant does not say all of its value, as that of a tensor.
bool hides_value(const GraphNode& node) {
  return !node.constant || node.constant->ends_with(" tensor") || node.constant->ends_with(" tensors") ||
         node.constant->ends_with("...");
}

/// Whether the operation gives its first input back where its other inputs, or the mode of the model, say so.
bool may_give_its_input(const GraphNode& node) {
  constexpr std::array<std::string_view, 13> names{
      "aten::dropout",    "aten::dropout_",  "aten::feature_dropout", "aten::alpha_dropout",
      "aten::detach",     "aten::alias",     "aten::contiguous",      "aten::to",
      "aten::expand",     "aten::expand_as", "aten::type_as",         "aten::Int",
      "prim::NumToTensor"};
  return std::find(names.begin(), names.end(), node.operation) != names.end();
}

bool draws_numbers(const GraphNode& node) {
  return node.operation.find("rand") != std::string::npos || node.operation == "aten::bernoulli" ||
         node.operation == "aten::normal" || node.operation == "aten::multinomial";
}

}  // namespace

GraphMatch::GraphMatch(const GraphView& before, const GraphView& after)
    : before_(before),
      after_(after),
      partner_(before.size()),
      taken_(after.size()),
      constant_(before.size()) {
  for (std::size_t i = 0; i < after.size(); ++i) {
    if (is_weight(after[i])) paths_.insert(*after[i].attribute);
    if (!is_constant(after[i]) && !is_weight(after[i])) by_operation_[after[i].operation].push_back(i);
  }
  find_constant();
  const std::vector<GraphValue>& was = before.graph().inputs;
  const std::vector<GraphValue>& is = after.graph().inputs;
  // The module, which comes first, is an input only where a node needs it.
  const std::size_t common = std::min(was.size(), is.size());
  for (std::size_t i = 1; i <= common; ++i) values_[was[was.size() - i].name] = is[is.size() - i].name;
  for (const Leniency most : {Leniency::equal, Leniency::left_out, Leniency::rewritten}) match_all(most);
}

void GraphMatch::find_constant() {
  for (std::size_t i = 0; i < before_.size(); ++i) {
    const GraphNode& node = before_[i];
    if (is_constant(node)) {
      constant_[i] = true;
    } else if (is_weight(node)) {
      constant_[i] = !paths_.contains(*node.attribute);
    } else if (node.blocks.empty() && !draws_numbers(node)) {
      constant_[i] = std::all_of(node.inputs.begin(), node.inputs.end(), [&](const std::string& input) {
        const auto from = before_.producer(input);
        return from && constant_[*from];
      });
    }
  }
}

void GraphMatch::match_all(Leniency most) {
  // What nobody uses comes last: it is not to take what became of an operation that is used.
  for (const bool live : {true, false}) {
    for (std::size_t i = 0; i < before_.size(); ++i) {
      if (before_.live(i) != live || partner_[i] || is_constant(before_[i]) || is_weight(before_[i]))
        continue;
      for (int leniency = 0; leniency <= static_cast<int>(most); ++leniency) {
        if (match(i, static_cast<Leniency>(leniency))) break;
        if (leniency == 0 && merge(i)) break;
      }
    }
  }
  const std::vector<std::string>& was = before_.graph().outputs;
  const std::vector<std::string>& is = after_.graph().outputs;
  for (std::size_t i = 0; i < std::min(was.size(), is.size()); ++i) {
    Trail trail;
    if (agree(was[i], is[i], most, trail)) keep(trail);
  }
}

bool GraphMatch::match(std::size_t node, Leniency leniency) {
  for (const std::size_t candidate : by_operation_[before_[node].operation]) {
    Trail trail;
    if (taken_[candidate] || !inputs_agree(node, candidate, leniency, trail)) continue;
    taken_[candidate] = true;
    if (trail.reweighted) reweighted.insert(node);
    keep(trail);
    join(node, candidate);
    return true;
  }
  return false;
}

/// An operation without a counterpart of its own may have that of an equal one.
bool GraphMatch::merge(std::size_t node) {
  if (draws_numbers(before_[node]) || is_structure(before_[node])) return false;
  for (const std::size_t candidate : by_operation_[before_[node].operation]) {
    Trail trail;
    if (!taken_[candidate] || !inputs_agree(node, candidate, Leniency::equal, trail)) continue;
    keep(trail);
    merged.insert(node);
    join(node, candidate);
    return true;
  }
  return false;
}

void GraphMatch::join(std::size_t was, std::size_t is) {
  const GraphNode& earlier = before_[was];
  const GraphNode& later = after_[is];
  partner_[was] = is;
  for (std::size_t i = 0; i < std::min(earlier.outputs.size(), later.outputs.size()); ++i)
    values_[before_.first(earlier.outputs[i].name)] = after_.first(later.outputs[i].name);
  for (std::size_t block = 0; block < std::min(earlier.blocks.size(), later.blocks.size()); ++block) {
    const auto& from = earlier.blocks[block].inputs;
    const auto& to = later.blocks[block].inputs;
    for (std::size_t i = 0; i < std::min(from.size(), to.size()); ++i) values_[from[i].name] = to[i].name;
  }
}

void GraphMatch::keep(const Trail& trail) {
  for (const auto& [from, to] : trail.folded) folded_from_.emplace(to, from);
  folded.insert(trail.folded.begin(), trail.folded.end());
  left_out.insert(trail.left_out.begin(), trail.left_out.end());
  rewritten.insert(rewritten.end(), trail.rewritten.begin(), trail.rewritten.end());
  weights.insert(trail.weights.begin(), trail.weights.end());
}

bool GraphMatch::inputs_agree(std::size_t was, std::size_t is, Leniency leniency, Trail& trail) const {
  const GraphNode& earlier = before_[was];
  const GraphNode& later = after_[is];
  if (earlier.inputs.size() != later.inputs.size() || earlier.outputs.size() != later.outputs.size() ||
      earlier.blocks.size() != later.blocks.size())
    return false;
  for (std::size_t i = 0; i < earlier.inputs.size(); ++i) {
    if (agree(earlier.inputs[i], later.inputs[i], leniency, trail)) continue;
    if (leniency == Leniency::equal || i == 0 || !computed_anew(earlier.inputs[i], later.inputs[i]))
      return false;
    trail.reweighted = true;
  }
  return true;
}

/// Whether the first is a weight or a constant, and the second a constant that the earlier graph does not
/// have. Numbers are no weights: another number is another operation.
bool GraphMatch::computed_anew(const std::string& was, const std::string& is) const {
  const auto from = before_.producer(was);
  const auto to = after_.producer(is);
  if (!from || !to || !constant_[*from] || !is_constant(after_[*to]) || after_[*to].attribute) return false;
  return !is_constant(before_[*from]) || !is_number(before_[*from]);
}

bool GraphMatch::agree(const std::string& was, const std::string& is, Leniency leniency, Trail& trail,
                       int depth) const {
  const std::string& earlier = before_.first(was);
  const std::string& later = after_.first(is);
  const auto known = values_.find(earlier);
  if (known != values_.end()) return known->second == later;
  const auto from = before_.producer(earlier);
  if (!from) return false;
  const GraphNode& node = before_[*from];
  if (is_constant(node) || is_weight(node)) return agree_held(node, later, trail);
  const auto to = after_.producer(later);
  if (constant_[*from] && to && is_constant(after_[*to]) && !after_[*to].attribute) {
    if (!may_be(*from, *to, trail)) return false;
    trail.folded[*from] = *to;
    return true;
  }
  const Leniency around = std::min(leniency, Leniency::left_out);
  if (depth < deepest && agree_around(*from, later, around, trail, depth + 1)) return true;
  if (leniency != Leniency::rewritten || depth > 0 || !to || taken_[*to] || is_structure(after_[*to]))
    return false;
  trail.rewritten.emplace_back(*from, *to);
  return true;
}

/// Whether an operation may have been folded into a constant. Its value is not known, but a constant has one.
bool GraphMatch::may_be(std::size_t from, std::size_t to, const Trail& trail) const {
  const auto known = folded_from_.find(to);
  if (known != folded_from_.end() && !same_value(known->second, from)) return false;
  return std::all_of(trail.folded.begin(), trail.folded.end(),
                     [&](const auto& one) { return one.second != to || same_value(one.first, from); });
}

/// Whether two operations of the earlier graph compute the same from the same constants.
bool GraphMatch::same_value(std::size_t one, std::size_t other, int depth) const {
  if (one == other) return true;
  const GraphNode& a = before_[one];
  const GraphNode& b = before_[other];
  if (depth > deepest || a.operation != b.operation || a.attribute != b.attribute ||
      a.inputs.size() != b.inputs.size() || !a.blocks.empty() || draws_numbers(a))
    return false;
  if (is_constant(a)) return a.constant == b.constant && (a.digest ? a.digest == b.digest : !hides_value(a));
  for (std::size_t i = 0; i < a.inputs.size(); ++i) {
    const auto from = before_.producer(a.inputs[i]);
    const auto to = before_.producer(b.inputs[i]);
    if (!from || !to || !same_value(*from, *to, depth + 1)) return false;
  }
  return true;
}

/// A constant or a weight, and what should be the same.
bool GraphMatch::agree_held(const GraphNode& was, const std::string& is, Trail& trail) const {
  const auto to = after_.producer(is);
  if (!to) return false;
  const GraphNode& later = after_[*to];
  const bool known = was.digest && later.digest;
  const bool same = known && was.digest == later.digest;
  if (is_constant(was)) return is_constant(later) && was.constant == later.constant && (same || !known);
  if (is_weight(later)) return later.attribute == was.attribute;
  if (!is_constant(later)) return false;
  if (later.attribute == was.attribute || same) {  // of equal ones, freezing keeps one
    trail.weights.insert(*was.attribute);
    return true;
  }
  return was.constant && was.constant == later.constant;
}

/// Whether the operation was left out, so that what followed takes what it took.
bool GraphMatch::agree_around(std::size_t was, const std::string& is, Leniency leniency, Trail& trail,
                              int depth) const {
  const GraphNode& node = before_[was];
  std::vector<std::string> takes;
  if (node.operation == "prim::If") {
    for (const GraphBlock& block : node.blocks)
      if (block.outputs.size() == 1) takes.push_back(block.outputs[0]);
  } else if (!is_structure(node) && node.outputs.size() == 1 && !node.inputs.empty() &&
             (leniency != Leniency::equal || may_give_its_input(node))) {
    takes.push_back(node.inputs[0]);
  }
  for (const std::string& take : takes) {
    Trail further;
    // Not beyond a constant: an operation on it has its own value.
    const auto from = before_.producer(take);
    if (from && constant_[*from] && node.operation != "prim::If") continue;
    if (!agree(take, is, leniency, further, depth)) continue;
    further.left_out.emplace(was, take);
    trail.folded.merge(further.folded);
    trail.left_out.merge(further.left_out);
    trail.weights.merge(further.weights);
    return true;
  }
  return false;
}

}  // namespace kit
