#include "engines/switches.h"

#include <algorithm>
#include <cstdint>

#include <torch/csrc/jit/codegen/fuser/interface.h>
#include <torch/csrc/jit/passes/tensorexpr_fuser.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/runtime/profiling_graph_executor_impl.h>
#include <torch/csrc/jit/tensorexpr/kernel.h>

#include <kit/error.h>

namespace kit {
namespace {

namespace jit = torch::jit;

// Measured on an H200 with the chain relu(x * m1 + m2), as docs/gpu.md has it; the share of the bandwidth
// that a copy has, for 4096×4096 float32: 0.90 with torch's two levels of blocks of 512 threads, 0.93 with
// 256 threads, 0.97 with three levels of 1280 blocks, which is torch's number for them. For 2048×2048 and
// less the loop costs more than it gains: 22.9 µs beside 20.3 µs.
constexpr std::int64_t large_from = std::int64_t{1} << 23;  // elements
constexpr int blocks_in_loop = 1280;

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
  /// How a fused kernel of a GPU divides its elements: among blocks and threads, or with three levels in a
  /// loop around them. The number of blocks counts with three levels only; -1 is torch's default.
  int loop_levels = 2;
  int blocks = -1;
  int threads = 256;
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
          .strategy = jit::getFusionStrategy(),
          .loop_levels = jit::tensorexpr::getTECudaPointwiseLoopLevels(),
          .blocks = jit::tensorexpr::getTECudaPointwiseBlockCount(),
          .threads = jit::tensorexpr::getTECudaPointwiseBlockSize()};
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
  jit::tensorexpr::getTECudaPointwiseLoopLevels() = state.loop_levels;
  jit::tensorexpr::getTECudaPointwiseBlockCount() = state.blocks;
  jit::tensorexpr::getTECudaPointwiseBlockSize() = state.threads;
}

State wanted(const Switches::Settings& settings) {
  // The fuser runs in any case, as it is what takes the profiling out of a graph; whether it fuses, the
  // devices say.
  State state{.on_cpu = settings.fusion, .on_gpu = settings.fusion};
  if (settings.large) {
    state.loop_levels = 3;
    state.blocks = blocks_in_loop;
  }
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
  turns_.enter(settings, [&] {
    outside() = now();
    set(wanted(settings));
  });
}

void Switches::leave() {
  turns_.leave([] { set(outside()); });
}

bool is_large(const std::vector<c10::IValue>& inputs) {
  return std::any_of(inputs.begin(), inputs.end(), [](const c10::IValue& input) {
    return input.isTensor() && input.toTensor().defined() && input.toTensor().numel() >= large_from;
  });
}

bool is_large(const std::vector<at::Tensor>& inputs) {
  return is_large(std::vector<c10::IValue>(inputs.begin(), inputs.end()));
}

}  // namespace kit
