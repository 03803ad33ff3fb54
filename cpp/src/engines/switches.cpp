#include "engines/switches.h"

#include <torch/csrc/jit/codegen/fuser/interface.h>
#include <torch/csrc/jit/passes/tensorexpr_fuser.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/runtime/profiling_graph_executor_impl.h>
#include <torch/csrc/jit/tensorexpr/kernel.h>

#include <kit/error.h>

namespace kit {
namespace {

namespace jit = torch::jit;

/// What the switches are.
struct State {
  bool profiling = true;
  bool executor = true;
  bool fuser = true;
  bool on_cpu = false;
  bool on_gpu = true;
  bool must_use_llvm = false;
  bool reductions = false;  ///< in fused groups
  bool inlining = true;     ///< of groups too small to gain
  std::size_t profiled_runs = 1;
  jit::FusionStrategy strategy = {};
};

State now() {
  return {.profiling = jit::getProfilingMode(),
          .executor = jit::getExecutorMode(),
          .fuser = jit::tensorExprFuserEnabled(),
          .on_cpu = jit::canFuseOnCPU(),
          .on_gpu = jit::canFuseOnGPU(),
          .must_use_llvm = jit::tensorexpr::getTEMustUseLLVMOnCPU(),
          .reductions = jit::texprReductionsEnabled(),
          .inlining = jit::getFusionGroupInlining(),
          .profiled_runs = jit::getNumProfiledRuns(),
          .strategy = jit::getFusionStrategy()};
}

void set(const State& state) {
  jit::getProfilingMode() = state.profiling;
  jit::getExecutorMode() = state.executor;
  jit::setTensorExprFuserEnabled(state.fuser);
  jit::overrideCanFuseOnCPU(state.on_cpu);
  jit::overrideCanFuseOnGPU(state.on_gpu);
  jit::tensorexpr::getTEMustUseLLVMOnCPU() = state.must_use_llvm;
  jit::setTexprReductionsEnabled(state.reductions);
  jit::debugSetFusionGroupInlining(state.inlining);
  jit::getNumProfiledRuns() = state.profiled_runs;
  jit::FusionStrategy strategy = state.strategy;
  jit::setFusionStrategy(strategy);
}

State wanted(const Switches::Settings& settings) {
  // The fuser runs in any case, as it is what takes the profiling out of a graph; whether it fuses, the
  // devices say.
  State state{.on_cpu = settings.fusion, .on_gpu = settings.fusion};
  if (settings.static_depth > 0)
    state.strategy.emplace_back(jit::FusionBehavior::STATIC, settings.static_depth);
  if (settings.dynamic_depth > 0)
    state.strategy.emplace_back(jit::FusionBehavior::DYNAMIC, settings.dynamic_depth);
  if (state.strategy.empty()) state.strategy.emplace_back(jit::FusionBehavior::STATIC, 0);
  return state;
}

/// Of the process, as long as somebody is inside.
State& outside() {
  static State state;
  return state;
}

}  // namespace

Switches::Hold::Hold(const Settings& settings) : optimized_(jit::getGraphExecutorOptimize()) {
  Switches::shared().enter(settings);
  // The environment comes before the switch.
  if (settings.fusion && !jit::tensorExprFuserEnabled()) {
    Switches::shared().leave();
    throw Error(
        ErrorCode::unavailable,
        "PYTORCH_TENSOREXPR in the environment forbids torch to fuse; unset it, or load the model with "
        "fusion off");
  }
  jit::setGraphExecutorOptimize(true);
}

Switches::Hold::~Hold() {
  jit::setGraphExecutorOptimize(optimized_);
  Switches::shared().leave();
}

Switches& Switches::shared() {
  static Switches switches;
  return switches;
}

void Switches::enter(const Settings& settings) {
  std::unique_lock lock(mutex_);
  const std::uint64_t ticket = next_++;
  changed_.wait(lock, [&] { return ticket == serving_ && (inside_ == 0 || settings == current_); });
  ++serving_;
  if (inside_ == 0) {
    outside() = now();
    set(wanted(settings));
    current_ = settings;
  }
  ++inside_;
  if (serving_ != next_) changed_.notify_all();
}

void Switches::leave() {
  const std::lock_guard lock(mutex_);
  if (--inside_ > 0) return;
  set(outside());
  if (serving_ != next_) changed_.notify_all();
}

}  // namespace kit
