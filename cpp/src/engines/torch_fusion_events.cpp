#include "engines/torch_fusion_events.h"

#include <string_view>
#include <utility>

#include <torch/csrc/jit/ir/scope.h>
#include <torch/csrc/jit/passes/tensorexpr_fuser.h>

namespace kit {
namespace {

namespace jit = torch::jit;

/// The observer of this thread: torch's callbacks are plain functions. Torch passes them on to the threads of
/// prim::fork, which nobody observes.
thread_local FusionObserver* observer = nullptr;

/// Marks the events that have begun a fallback.
struct Inside final : at::ObserverContext {};

using Visit = std::function<void(jit::Node&)>;

void for_each_node(jit::Block& block, const Visit& visit) {
  for (jit::Node* node : block.nodes()) {
    visit(*node);
    for (jit::Block* inner : node->blocks()) for_each_node(*inner, visit);
  }
}

std::string tag_of(jit::Node& node) {
  const jit::ScopePtr scope = node.scope();
  return scope != nullptr && !scope->isBlank() ? scope->name().toUnqualString() : std::string();
}

}  // namespace

FusionObserver::FusionObserver()
    : inside_{&trace_},
      watch_([this](std::shared_ptr<jit::Graph>& graph) { compiled(graph); }),
      handle_(at::addThreadLocalCallback(
          at::RecordFunctionCallback(&FusionObserver::begin, &FusionObserver::end)
              .scopes({at::RecordScope::FUNCTION, at::RecordScope::TORCHSCRIPT_FUNCTION}))) {
  observer = this;
}

FusionObserver::~FusionObserver() {
  observer = nullptr;
  at::removeCallback(handle_);
}

FusionTrace FusionObserver::take() {
  inside_ = {&trace_};
  return std::exchange(trace_, {});
}

std::unique_ptr<at::ObserverContext> FusionObserver::begin(const at::RecordFunction& function) {
  if (observer == nullptr) return nullptr;
  const std::string_view name = function.name();
  std::vector<FusionTrace*>& inside = observer->inside_;
  if (function.scope() == at::RecordScope::FUNCTION) {
    if (name.starts_with("fused_")) inside.back()->events.push_back({std::string(name), nullptr});
    return nullptr;
  }
  if (name != "fallback_function") return nullptr;
  inside.back()->events.push_back({{}, std::make_shared<FusionTrace>()});
  inside.push_back(inside.back()->events.back().fallback.get());
  return std::make_unique<Inside>();
}

void FusionObserver::end(const at::RecordFunction& /*function*/, at::ObserverContext* context) {
  if (observer == nullptr || context == nullptr) return;
  if (observer->inside_.size() > 1) observer->inside_.pop_back();
}

/// Torch keeps the scope of a node where it moves the node or copies it, prints it, and asks for it nowhere
/// else: so it can tell which node of the executed graph was which before.
void FusionObserver::compiled(std::shared_ptr<jit::Graph>& graph) {
  const std::string prefix = "kit_" + std::to_string(graphs_.size()) + "_";
  std::size_t count = 0;
  const auto root = c10::make_intrusive<jit::Scope>();
  for_each_node(*graph->block(), [&](jit::Node& node) {
    node.setScope(root->push(c10::Symbol::scope(prefix + std::to_string(count++))));
  });
  graphs_.push_back(graph->copy());
  jit::RemoveProfileNodesAndSpecializeTypes(graphs_.back());
  for_each_node(*graphs_.back()->block(), [&](jit::Node& node) { nodes_[tag_of(node)] = &node; });
}

jit::Node* FusionObserver::typed(jit::Node& node) const {
  const auto found = nodes_.find(tag_of(node));
  return found != nodes_.end() && found->second->kind() == node.kind() ? found->second : nullptr;
}

}  // namespace kit
