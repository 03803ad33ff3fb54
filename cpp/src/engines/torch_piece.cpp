#include "engines/torch_piece.h"

#include <algorithm>
#include <sstream>

#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/passes/tensorexpr_fuser.h>

#include "engines/torch_observe.h"

namespace kit {
namespace {

namespace jit = torch::jit;

bool is_structure(const jit::Node& node) {
  return node.kind() == c10::prim::Constant || node.kind() == c10::prim::ListConstruct;
}

bool is_tensor(const jit::Value& value) { return value.type()->isSubtypeOf(*c10::TensorType::get()); }

/// Copies operations of a group into a graph of their own, with what they need.
class Extract {
 public:
  explicit Extract(const GroupBody::Values& values) : values_(values) {
    piece_.graph = std::make_shared<jit::Graph>();
  }

  void add(jit::Node* operation) {
    jit::Node* copy = clone(operation);
    for (std::size_t i = 0; i < operation->outputs().size(); ++i)
      set_type(copy->output(i), operation->output(i));
    ++piece_.operations;
  }

  void give(const jit::Value* value) {
    piece_.graph->registerOutput(known_.at(value));
    piece_.outputs.push_back(value);
  }

  Piece take() { return std::move(piece_); }

 private:
  jit::Node* clone(jit::Node* node) {
    jit::Node* copy = piece_.graph->createClone(node, [this](jit::Value* value) { return local(value); });
    piece_.graph->appendNode(copy);
    for (std::size_t i = 0; i < node->outputs().size(); ++i) known_[node->output(i)] = copy->output(i);
    return copy;
  }

  /// What stands for a value of the group here: of an operation before, a constant, or an input.
  jit::Value* local(jit::Value* value) {
    if (const auto found = known_.find(value); found != known_.end()) return found->second;
    if (is_structure(*value->node())) {
      clone(value->node());
    } else if (!is_tensor(*value) && values_.contains(value)) {
      known_[value] = piece_.graph->insertConstant(values_.at(value));
    } else {
      known_[value] = piece_.graph->addInput("input" + std::to_string(piece_.inputs.size()));
      set_type(known_[value], value);
      piece_.inputs.push_back(value);
    }
    return known_.at(value);
  }

  void set_type(jit::Value* here, const jit::Value* there) {
    const auto found = values_.find(there);
    here->setType(found != values_.end() && found->second.isTensor()
                      ? c10::TensorType::create(found->second.toTensor())
                      : there->type());
  }

  const GroupBody::Values& values_;
  std::map<const jit::Value*, jit::Value*> known_;
  Piece piece_;
};

/// Whether something else than these operations uses the value, through lists too.
bool escapes(const jit::Value& value, const std::vector<jit::Node*>& operations) {
  return std::any_of(value.uses().begin(), value.uses().end(), [&](const jit::Use& use) {
    if (use.user->kind() == c10::prim::ListConstruct) return escapes(*use.user->output(), operations);
    return std::find(operations.begin(), operations.end(), use.user) == operations.end();
  });
}

/// Groups in a block and the blocks in it, and the operations in them.
void count_groups(jit::Block* block, std::size_t& groups, std::size_t& operations) {
  for (jit::Node* node : block->nodes()) {
    for (jit::Block* inner : node->blocks()) count_groups(inner, groups, operations);
    if (node->kind() != c10::prim::TensorExprGroup) continue;
    ++groups;
    operations += operations_of(*node->g(c10::attr::Subgraph)).size();
  }
}

}  // namespace

std::vector<jit::Node*> operations_of(const jit::Graph& group) {
  std::vector<jit::Node*> result;
  for (const jit::Node* node : group.nodes())
    if (!is_structure(*node)) result.push_back(const_cast<jit::Node*>(node));
  return result;
}

GroupBody::GroupBody(const jit::Graph& group, const std::vector<c10::IValue>& inputs)
    : operations_(operations_of(group)) {
  for (std::size_t i = 0; i < inputs.size(); ++i) values_[group.inputs()[i]] = inputs[i];
  Extract all(values_);
  for (jit::Node* operation : operations_) all.add(operation);
  for (jit::Node* operation : operations_)
    for (const jit::Value* output : operation->outputs()) all.give(output);
  const Piece whole = all.take();
  const auto results = run_graph(whole.graph, arguments_of(whole, values_));
  for (std::size_t i = 0; i < results.size(); ++i) values_[whole.outputs[i]] = results[i];
}

Piece GroupBody::piece(std::size_t first, std::size_t last) const {
  const std::vector<jit::Node*> chosen(operations_.begin() + static_cast<std::ptrdiff_t>(first),
                                       operations_.begin() + static_cast<std::ptrdiff_t>(last));
  Extract extract(values_);
  for (jit::Node* operation : chosen) extract.add(operation);
  for (jit::Node* operation : chosen)
    for (const jit::Value* output : operation->outputs())
      if (escapes(*output, chosen)) extract.give(output);
  return extract.take();
}

std::vector<c10::IValue> arguments_of(const Piece& piece, const GroupBody::Values& values) {
  std::vector<c10::IValue> arguments;
  for (const jit::Value* value : piece.inputs) arguments.push_back(values.at(value));
  return arguments;
}

std::optional<std::vector<c10::IValue>> run_fused(const Piece& piece, std::vector<c10::IValue> arguments,
                                                  bool dynamic) {
  auto graph = piece.graph->copy();
  jit::FuseTensorExprs(graph, 1, false, dynamic);
  std::size_t groups = 0;
  std::size_t operations = 0;
  count_groups(graph->block(), groups, operations);
  if (groups != 1 || operations != piece.operations) return std::nullopt;
  return run_graph(graph, std::move(arguments));
}

std::shared_ptr<jit::Graph> general(const Piece& piece) {
  auto graph = piece.graph->copy();
  jit::RemoveTensorTypeSpecializations(graph);
  return graph;
}

std::string standalone(const Piece& piece) {
  const jit::Module module("Group");
  const auto graph = general(piece);
  graph->insertInput(0, "self")->setType(module._ivalue()->type());
  jit::Function* forward = module._ivalue()->compilation_unit()->create_function(
      c10::QualifiedName(*module.type()->name(), "forward"), graph);
  module.type()->addMethod(forward);
  std::ostringstream file;
  module.save(file);
  return file.str();
}

}  // namespace kit
