#include "engines/graph_builder.h"

#include <cstring>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <unordered_map>

#include <torch/csrc/jit/ir/constants.h>

#include "engines/code_line.h"
#include "engines/constant_text.h"
#include "engines/torch_node.h"

namespace kit {
namespace {

namespace jit = torch::jit;
namespace prim = c10::prim;

bool is_group(const jit::Node& node) {
  return node.kind() == prim::TensorExprGroup || node.kind() == prim::FusionGroup;
}

bool is_module(const jit::Value& value) {
  const auto type = value.type()->cast<c10::ClassType>();
  return type != nullptr && type->is_module();
}

bool is_attribute(const jit::Node& node) {
  return node.kind() == prim::GetAttr || node.kind() == prim::SetAttr;
}

/// Finds the weights of a module among tensors: a constant that freezing made of a weight shares its memory.
class Weights {
 public:
  explicit Weights(const jit::Module& module) {
    for (const auto& attribute : module.named_attributes())
      if (attribute.value.isTensor() && has_memory(attribute.value.toTensor()))
        paths_.emplace(key(attribute.value.toTensor()), attribute.name);
  }

  std::optional<std::string> path(const c10::IValue& value) const {
    if (!value.isTensor() || !has_memory(value.toTensor())) return std::nullopt;
    const auto found = paths_.find(key(value.toTensor()));
    return found == paths_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  using Key = std::tuple<const void*, at::ScalarType, std::vector<std::int64_t>, std::vector<std::int64_t>>;

  static bool has_memory(const at::Tensor& tensor) {
    return tensor.defined() && tensor.layout() == at::kStrided && tensor.numel() > 0;
  }
  static Key key(const at::Tensor& tensor) {
    return {tensor.const_data_ptr(), tensor.scalar_type(), tensor.sizes().vec(), tensor.strides().vec()};
  }

  std::map<Key, std::string> paths_;
};

/// The same number for tensors of the same dtype, sizes and values; none for large ones, which take long.
std::optional<std::size_t> digest_of(const c10::IValue& value) {
  constexpr std::size_t most = 1 << 20;
  if (!value.isTensor()) return std::nullopt;
  const at::Tensor& tensor = value.toTensor();
  if (!tensor.defined() || tensor.layout() != at::kStrided || tensor.is_quantized() || tensor.nbytes() > most)
    return std::nullopt;
  const at::Tensor plain = tensor.detach().resolve_conj().resolve_neg().cpu().contiguous();
  std::string bytes(plain.nbytes(), '\0');
  if (!bytes.empty()) std::memcpy(bytes.data(), plain.const_data_ptr(), bytes.size());
  bytes += c10::toString(plain.scalar_type());
  for (const std::int64_t size : plain.sizes()) bytes += "," + std::to_string(size);
  return std::hash<std::string>{}(bytes);
}

class Builder {
 public:
  Builder(const jit::Module& module, const jit::Module& loaded) : module_(module), weights_(loaded) {}

  Graph build(const jit::Graph& graph) {
    self_ = graph.inputs().empty() || !is_module(*graph.inputs()[0]) ? nullptr : graph.inputs()[0];
    for (const jit::Value* input : graph.inputs())
      if (input != self_ || needed(*input)) built_.inputs.push_back(value(input));
    add_block(*graph.block(), {});
    for (const jit::Value* output : graph.outputs()) built_.outputs.push_back(name(output));
    built_.text = graph.toString();
    return std::move(built_);
  }

 private:
  /// Where a node is.
  struct Place {
    std::optional<int> parent = std::nullopt;
    int block = 0;
    std::optional<int> group = std::nullopt;
  };

  void add_block(const jit::Block& block, const Place& place) {
    for (const jit::Node* node : block.nodes()) {
      if (is_group(*node))
        add_group(*node, place);
      else if (node->kind() != prim::GetAttr || !is_module(*node->output()) || needed(*node->output()))
        add(*node, place);
    }
  }

  /// The values at the border of the group are those around it.
  void add_group(const jit::Node& node, Place place) {
    const std::shared_ptr<jit::Graph>& inside = node.g(c10::attr::Subgraph);
    for (std::size_t i = 0; i < node.inputs().size(); ++i)
      names_[inside->inputs()[i]] = name(node.inputs()[i]);
    for (std::size_t i = 0; i < node.outputs().size(); ++i) {
      const auto found = names_.find(inside->outputs()[i]);
      if (found == names_.end())
        names_[inside->outputs()[i]] = name(node.outputs()[i]);
      else
        names_[node.outputs()[i]] = found->second;
    }
    place.group = groups_++;
    prefix_ = "g" + std::to_string(*place.group) + ".";
    add_block(*inside->block(), place);
    prefix_.clear();
  }

  void add(const jit::Node& node, const Place& place) {
    GraphNode built{.operation = node.kind().toQualString(),
                    .line = code_line(node),
                    .group = place.group,
                    .parent = place.parent,
                    .block = place.block,
                    .pointwise = is_pointwise(node)};
    if (is_attribute(node)) built.attribute = path(node);
    if (node.kind() == prim::Constant) describe_constant(node, built);
    if (built.attribute && node.kind() == prim::GetAttr) describe_attribute(*built.attribute, built);
    for (const jit::Value* input : node.inputs())
      if (!(built.attribute && input == node.inputs()[0] && is_attribute(node)))
        built.inputs.push_back(name(input));
    for (const jit::Value* output : node.outputs()) built.outputs.push_back(value(output));
    built_.nodes.push_back(std::move(built));
    const int index = static_cast<int>(built_.nodes.size()) - 1;
    for (std::size_t i = 0; i < node.blocks().size(); ++i) {
      const jit::Block& block = *node.blocks()[i];
      GraphBlock border;
      for (const jit::Value* input : block.inputs()) border.inputs.push_back(value(input));
      add_block(block, {.parent = index, .block = static_cast<int>(i), .group = place.group});
      for (const jit::Value* output : block.outputs()) border.outputs.push_back(name(output));
      built_.nodes[index].blocks.push_back(std::move(border));
    }
  }

  void describe_constant(const jit::Node& node, GraphNode& built) const {
    if (node.output()->type()->cast<c10::FunctionType>()) {
      built.constant = node.s(c10::attr::name);
    } else if (const auto constant = jit::toIValue(node.output())) {
      built.constant = constant_text(*constant);
      built.digest = digest_of(*constant);
      built.attribute = weights_.path(*constant);
    }
  }

  void describe_attribute(const std::string& path, GraphNode& built) const {
    c10::IValue value = module_._ivalue();
    std::istringstream names(path);
    for (std::string one; std::getline(names, one, '.');) value = value.toObject()->getAttr(one);
    built.digest = digest_of(value);
    if (!value.isTensor() && !value.isObject()) built.constant = constant_text(value);
  }

  /// The path from the module to what the node reads or writes, where it starts there.
  std::optional<std::string> path(const jit::Node& node) const {
    const std::string& last = node.s(c10::attr::name);
    if (node.inputs()[0] == self_) return last;
    const jit::Node& before = *node.inputs()[0]->node();
    if (before.kind() != prim::GetAttr || !is_module(*before.output())) return std::nullopt;
    const auto start = path(before);
    return start ? std::optional(*start + "." + last) : std::nullopt;
  }

  /// Whether a module is used for anything but a path that starts at it.
  bool needed(const jit::Value& module) const {
    for (const jit::Use& use : module.uses())
      if (!is_attribute(*use.user) || use.offset != 0 || !path(*use.user)) return true;
    return false;
  }

  GraphValue value(const jit::Value* value) { return {name(value), type_of(*value)}; }

  std::string name(const jit::Value* value) {
    const auto found = names_.find(value);
    if (found != names_.end()) return found->second;
    std::string unique = prefix_ + value->debugName();
    while (!used_.insert(unique).second) unique += "'";
    return names_[value] = unique;
  }

  const jit::Module& module_;
  Weights weights_;
  Graph built_;
  const jit::Value* self_ = nullptr;
  std::unordered_map<const jit::Value*, std::string> names_;
  std::set<std::string> used_;
  std::string prefix_;
  int groups_ = 0;
};

}  // namespace

Graph build_graph(const jit::Graph& graph, const jit::Module& module, const jit::Module& loaded) {
  return Builder(module, loaded).build(graph);
}

}  // namespace kit
