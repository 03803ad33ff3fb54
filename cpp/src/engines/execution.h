#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <shared_mutex>
#include <string>
#include <vector>

#include <ATen/core/stack.h>
#include <c10/core/Device.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include <kit/configuration.h>

namespace kit {

/// One method of a module with an executor of its own, so that what it compiles depends on its configuration
/// and on its own calls alone.
class Execution {
 public:
  /// The configuration has every field but those of the threads set. The module is as it was loaded: it is
  /// frozen here if the configuration says so. Throws a c10::Error if that fails.
  Execution(torch::jit::Module module, const std::string& method, const Configuration& configuration,
            at::Device device);

  /// Runs on the tensors and gives what the method returns; from many threads at once.
  c10::IValue run(std::vector<c10::IValue> inputs) const;

  const c10::FunctionSchema& schema() const;
  const Configuration& configuration() const noexcept { return configuration_; }
  at::Device device() const noexcept { return device_; }

  /// The module that runs: the loaded one, or the frozen one.
  const torch::jit::Module& module() const noexcept { return module_; }

  /// The graph of the method with all calls inlined, before anything is compiled. A copy.
  std::shared_ptr<torch::jit::Graph> graph() const;

  /// Calls `visit` with the executed graph and those of its fallbacks that are compiled, the outermost first,
  /// with the depth: 0 for the executed graph. Before the first compiled call there is none; the simple
  /// executor has one after its first call. The graphs belong to the executor, and so do the fallbacks in
  /// them. No call may compile meanwhile: this waits for those that run, and they for this.
  using Visit = std::function<void(const std::shared_ptr<torch::jit::Graph>& graph, int depth)>;
  void for_each_plan(const Visit& visit) const;

  /// The graph that is executed, or null where there is none yet.
  std::shared_ptr<torch::jit::Graph> plan() const;

  /// What tells one state of compilation from another: which plans there are, at all depths of fallbacks.
  std::string fingerprint() const;

  /// How many graphs this thread has compiled, in all executions.
  static std::uint64_t compilations() noexcept;

  /// Calls `sink` with every graph that this thread compiles, in all executions, when it is about to be
  /// fused, as long as this is alive. One at a time on a thread.
  class Watch {
   public:
    using Sink = std::function<void(std::shared_ptr<torch::jit::Graph>&)>;
    explicit Watch(Sink sink);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    Sink sink_;
  };

  /// A further execution of the same module under another configuration. It shares nothing that is compiled.
  std::unique_ptr<Execution> with(const Configuration& configuration) const;

 private:
  c10::IValue call(std::vector<c10::IValue>& stack) const;
  c10::IValue compile_and_call(std::vector<c10::IValue>& stack) const;
  void settle() const;

  torch::jit::Module loaded_;
  torch::jit::Module module_;
  std::string name_;
  Configuration configuration_;
  at::Device device_;
  bool simple_ = false;
  bool fuses_ = false;
  bool alone_ = false;  ///< whether calls run one by one
  mutable torch::jit::GraphExecutor executor_;
  mutable std::shared_mutex mutex_;  ///< shared by calls that may compile, exclusive for looking at the plans
  mutable std::atomic<bool> ran_ = false;      ///< of the simple executor: it has a plan
  mutable std::atomic<bool> settled_ = false;  ///< no call can compile any more
};

}  // namespace kit
