#include "engines/torch_observe.h"

#include <ATen/ops/as_strided.h>
#include <ATen/ops/clone.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/runtime/custom_operator.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/runtime/interpreter.h>

namespace kit {
namespace {

namespace jit = torch::jit;

/// A group in one of the plans that are observed.
struct Site {
  std::shared_ptr<const jit::Graph> plan;
  const jit::Node* node;
  int depth;
};

struct Observation {
  std::vector<Site> sites;
  std::vector<ObservedGroup> seen;
};

thread_local Observation* observation = nullptr;

/// Stands for a group or a fallback: runs its subgraph as it is. `kit::site` is the group's, or -1.
c10::Symbol stand_in() { return c10::Symbol::fromQualString("kit::one_by_one"); }
c10::Symbol site_attribute() { return c10::Symbol::attr("site"); }

/// The same elements at the same strides in memory of its own: what comes later may change the original.
c10::IValue snapshot(const c10::IValue& value) {
  if (!value.isTensor() || !value.toTensor().defined()) return value;
  const at::Tensor& tensor = value.toTensor();
  if (tensor.layout() != at::kStrided) return value;
  std::int64_t span = tensor.numel() == 0 ? 0 : 1;
  if (span == 1)
    for (std::int64_t i = 0; i < tensor.dim(); ++i) span += (tensor.size(i) - 1) * tensor.stride(i);
  return tensor.as_strided({span}, {1}).clone().as_strided(tensor.sizes(), tensor.strides(), 0);
}

jit::Operation make_stand_in(const jit::Node* node) {
  const jit::Code code(node->g(c10::attr::Subgraph), "one_by_one");
  const std::int64_t index = node->i(site_attribute());
  return [code, index, count = node->inputs().size()](jit::Stack& stack) {
    std::vector<c10::IValue> values = jit::pop(stack, count);
    if (index < 0 || observation == nullptr) {
      jit::InterpreterState(code).run(values);
    } else {
      const Site& site = observation->sites.at(static_cast<std::size_t>(index));
      ObservedGroup seen{.plan = site.plan, .node = site.node, .depth = site.depth};
      for (const c10::IValue& value : values) seen.inputs.push_back(snapshot(value));
      jit::InterpreterState(code).run(values);
      for (const c10::IValue& value : values) seen.outputs.push_back(snapshot(value));
      observation->seen.push_back(std::move(seen));
    }
    for (c10::IValue& value : values) stack.push_back(std::move(value));
  };
}

void register_stand_in() {
  static const jit::RegisterOperators registered(
      {jit::Operator(stand_in(), make_stand_in, c10::AliasAnalysisKind::CONSERVATIVE)});
}

void replace(jit::Node* node, c10::ArrayRef<jit::Value*> inputs, std::shared_ptr<jit::Graph> body,
             std::int64_t site) {
  jit::Node* other = node->owningGraph()->create(stand_in(), inputs, node->outputs().size());
  other->g_(c10::attr::Subgraph, std::move(body));
  other->i_(site_attribute(), site);
  other->insertBefore(node);
  for (std::size_t i = 0; i < node->outputs().size(); ++i) other->output(i)->setType(node->output(i)->type());
  node->replaceAllUsesWith(other);
  node->destroy();
}

std::shared_ptr<jit::Graph> observable(const std::shared_ptr<jit::Graph>& plan, int depth, Observation& into);

void make_observable(jit::Block* block, const jit::Block* original, const std::shared_ptr<jit::Graph>& plan,
                     int depth, Observation& into) {
  auto twin = original->nodes().begin();
  for (auto it = block->nodes().begin(); it != block->nodes().end(); ++twin) {
    jit::Node* node = *it++;
    for (std::size_t i = 0; i < node->blocks().size(); ++i)
      make_observable(node->blocks()[i], twin->blocks()[i], plan, depth, into);
    if (node->kind() == c10::prim::TensorExprGroup) {
      into.sites.push_back({plan, *twin, depth});
      replace(node, node->inputs(), node->g(c10::attr::Subgraph),
              static_cast<std::int64_t>(into.sites.size()) - 1);
    } else if (const auto called = called_graph(*node)) {
      replace(node, node->inputs().slice(1), observable(called, depth + 1, into), -1);
    }
  }
}

std::shared_ptr<jit::Graph> observable(const std::shared_ptr<jit::Graph>& plan, int depth,
                                       Observation& into) {
  auto copy = plan->copy();
  make_observable(copy->block(), plan->block(), plan, depth, into);
  return copy;
}

}  // namespace

std::shared_ptr<jit::Graph> called_graph(const jit::Node& node) {
  if (node.kind() != c10::prim::CallFunction) return nullptr;
  const auto type = node.input(0)->type()->cast<c10::FunctionType>();
  if (type == nullptr) return nullptr;
  jit::GraphFunction* function = jit::tryToGraphFunction(*type->function());
  if (function == nullptr) return nullptr;
  jit::GraphExecutor& executor = function->get_executor();
  if (!executor.isOptimized()) return function->graph();
  return executor.getDebugState().execution_plans.begin()->second.graph;
}

std::vector<c10::IValue> run_graph(const std::shared_ptr<jit::Graph>& graph,
                                   std::vector<c10::IValue> arguments) {
  const jit::Code code(graph, "kit");
  jit::InterpreterState(code).run(arguments);
  return arguments;
}

std::vector<ObservedGroup> observe_groups(const std::shared_ptr<jit::Graph>& plan,
                                          std::vector<c10::IValue> arguments) {
  register_stand_in();
  Observation mine;
  const auto graph = observable(plan, 0, mine);
  struct Within {
    explicit Within(Observation* now) { observation = now; }
    ~Within() { observation = nullptr; }
    Within(const Within&) = delete;
    Within& operator=(const Within&) = delete;
  } within(&mine);
  run_graph(graph, std::move(arguments));
  return std::move(mine.seen);
}

}  // namespace kit
