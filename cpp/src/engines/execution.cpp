#include "engines/execution.h"

#include <optional>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/passes/freeze_module.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/passes/pass_manager.h>

#include "engines/switches.h"
#include "engines/threads.h"

namespace kit {
namespace {

namespace jit = torch::jit;

thread_local std::uint64_t compiled = 0;
thread_local const Execution::Watch::Sink* watching = nullptr;

/// Lets torch tell of every graph that it compiles, on the thread that waits for it.
void count_compilations() {
  [[maybe_unused]] static const auto registered =
      jit::registerPrePass([](std::shared_ptr<jit::Graph>& graph) {
        ++compiled;
        if (watching != nullptr) (*watching)(graph);
      });
}

jit::Module prepared(const jit::Module& module, const std::string& method, bool freeze) {
  if (!freeze) return module;
  return jit::freeze(module, method == "forward" ? std::nullopt : std::optional(std::vector{method}));
}

/// How often kernels are compiled, for one size and for varying sizes together.
std::int64_t depth(const Configuration& configuration) {
  return std::int64_t{configuration.static_depth.value()} + configuration.dynamic_depth.value();
}

Switches::Settings settings_of(const Configuration& configuration, bool large) {
  // Where nothing is fused the rest means nothing, and should keep nobody waiting.
  if (!configuration.fusion.value()) return {};
  return {true, configuration.static_depth.value(), configuration.dynamic_depth.value(), large};
}

jit::GraphExecutor make_executor(const jit::Module& module, const std::string& method,
                                 const Configuration& configuration) {
  const jit::GraphFunction& function = jit::toGraphFunction(module.get_method(method).function());
  if (configuration.executor == Executor::simple)
    return {function.graph()->copy(), method, jit::ExecutorExecutionMode::SIMPLE};
  const Switches::Hold hold(
      settings_of(configuration, false));  // an executor takes the depths when it is made
  return {function.graph()->copy(), method, jit::ExecutorExecutionMode::PROFILING};
}

/// A graph that is executed, and how deep in fallbacks it is.
struct Plan {
  std::shared_ptr<jit::Graph> graph;
  int depth = 0;
};

/// The executors of the fallbacks that the block calls, at any depth of blocks.
void visit_fallbacks(jit::Block* block, const std::function<void(jit::GraphExecutor&)>& visit) {
  for (jit::Node* node : block->nodes()) {
    for (jit::Block* inner : node->blocks()) visit_fallbacks(inner, visit);
    if (node->kind() != c10::prim::CallFunction) continue;
    const auto type = node->input(0)->type()->cast<c10::FunctionType>();
    if (type == nullptr) continue;
    if (jit::GraphFunction* function = jit::tryToGraphFunction(*type->function()))
      visit(function->get_executor());
  }
}

void collect(jit::GraphExecutor& executor, int depth, std::vector<Plan>& plans) {
  for (const auto& [specification, plan] : executor.getDebugState().execution_plans) {
    plans.push_back({plan.graph, depth});
    visit_fallbacks(plan.graph->block(), [&](jit::GraphExecutor& fallback) {
      if (fallback.isOptimized()) collect(fallback, depth + 1, plans);
    });
  }
}

/// Whether no call of the executor can compile any more, whatever its inputs are.
bool is_settled(jit::GraphExecutor& executor) {
  if (!executor.isOptimized()) return false;
  bool settled = true;
  for (const auto& [specification, plan] : executor.getDebugState().execution_plans)
    visit_fallbacks(plan.graph->block(),
                    [&](jit::GraphExecutor& fallback) { settled = settled && is_settled(fallback); });
  return settled;
}

}  // namespace

Execution::Execution(jit::Module module, const std::string& method, const Configuration& configuration,
                     at::Device device)
    : loaded_(std::move(module)),
      module_(prepared(loaded_, method, configuration.freeze.value())),
      name_(method),
      configuration_(configuration),
      device_(device),
      simple_(configuration.executor == Executor::simple),
      fuses_(configuration.fusion.value()),
      // The interpreter of fused kernels on the CPU has one state for all calls.
      alone_(fuses_ && device.is_cpu()),
      executor_(make_executor(module_, name_, configuration)),
      settled_(simple_) {
  count_compilations();
}

c10::IValue Execution::run(std::vector<c10::IValue> inputs) const {
  inputs.insert(inputs.begin(), module_._ivalue());
  schema().checkAndNormalizeInputs(inputs, {});
  const Threads threads(configuration_.threads);
  if (!settled_.load(std::memory_order_acquire)) return compile_and_call(inputs);
  std::unique_lock lock(mutex_, std::defer_lock);
  if (alone_) lock.lock();
  return call(inputs);
}

c10::IValue Execution::compile_and_call(std::vector<c10::IValue>& stack) const {
  const std::uint64_t before = compiled;
  c10::IValue result;
  {
    // What fuses nothing compiles in its first calls alone: there is nothing to gain from sharing.
    std::unique_lock exclusive(mutex_, std::defer_lock);
    std::shared_lock shared(mutex_, std::defer_lock);
    if (alone_ || !fuses_)
      exclusive.lock();
    else
      shared.lock();
    const Switches::Hold hold(settings_of(configuration_, device_.is_cuda() && is_large(stack)));
    result = call(stack);
  }
  // At depth 0 a graph is made ready in the first call, and that does not count as a compilation.
  if (compiled != before || depth(configuration_) == 0) settle();
  return result;
}

void Execution::settle() const {
  const std::unique_lock lock(mutex_);
  if (is_settled(executor_)) settled_.store(true, std::memory_order_release);
}

c10::IValue Execution::call(std::vector<c10::IValue>& stack) const {
  executor_.run(stack);
  if (simple_ && !ran_.load(std::memory_order_relaxed)) ran_.store(true, std::memory_order_release);
  return std::move(stack.back());
}

const c10::FunctionSchema& Execution::schema() const {
  return module_.get_method(name_).function().getSchema();
}

std::shared_ptr<jit::Graph> Execution::graph() const {
  auto graph = jit::toGraphFunction(module_.get_method(name_).function()).graph()->copy();
  jit::Inline(*graph);
  return graph;
}

void Execution::for_each_plan(const Visit& visit) const {
  std::vector<Plan> plans;
  {
    const std::unique_lock lock(mutex_);
    // The simple executor never says that it is optimized.
    if (simple_ ? ran_.load(std::memory_order_acquire) : executor_.isOptimized())
      collect(executor_, 0, plans);
  }
  // Without the lock: graphs that are executed do not change, and the visitor may run them.
  for (const Plan& plan : plans) visit(plan.graph, plan.depth);
}

std::shared_ptr<jit::Graph> Execution::plan() const {
  std::shared_ptr<jit::Graph> found;
  for_each_plan([&](const std::shared_ptr<jit::Graph>& graph, int depth) {
    if (depth == 0) found = graph;
  });
  return found;
}

std::string Execution::fingerprint() const {
  std::string text;
  for_each_plan([&](const std::shared_ptr<jit::Graph>& graph, int depth) {
    text += std::to_string(depth) + ":" + std::to_string(reinterpret_cast<std::uintptr_t>(graph.get())) + " ";
  });
  return text;
}

std::uint64_t Execution::compilations() noexcept { return compiled; }

Execution::Watch::Watch(Sink sink) : sink_(std::move(sink)) { watching = &sink_; }
Execution::Watch::~Watch() { watching = nullptr; }

std::unique_ptr<Execution> Execution::with(const Configuration& configuration) const {
  return std::make_unique<Execution>(loaded_, name_, configuration, device_);
}

}  // namespace kit
