#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ATen/record_function.h>
#include <torch/csrc/jit/ir/ir.h>

#include "engines/execution.h"

namespace kit {

/// What ran in one call of a method, or of the fallback of a group.
struct FusionTrace {
  struct Event {
    std::string group;                      ///< the name of the group that ran, or empty:
    std::shared_ptr<FusionTrace> fallback;  ///< a fallback ran, and this is what ran in it
  };
  std::vector<Event> events;  ///< in the order in which they began
};

/// Listens to the groups that this thread runs and to the graphs that it compiles, as long as it is alive.
/// One at a time on a thread.
class FusionObserver {
 public:
  FusionObserver();
  ~FusionObserver();
  FusionObserver(const FusionObserver&) = delete;
  FusionObserver& operator=(const FusionObserver&) = delete;

  /// What ran since the last `take`, in one call.
  FusionTrace take();

  /// The node as it was when its graph was about to be fused, with the types that the profile gave it, or
  /// null for a node that the compiler added.
  torch::jit::Node* typed(torch::jit::Node& node) const;

 private:
  static std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction& function);
  static void end(const at::RecordFunction& function, at::ObserverContext* context);
  void compiled(std::shared_ptr<torch::jit::Graph>& graph);

  FusionTrace trace_;
  std::vector<FusionTrace*> inside_;  ///< the call, and the fallbacks within it that are running
  std::vector<std::shared_ptr<torch::jit::Graph>> graphs_;
  std::map<std::string, torch::jit::Node*> nodes_;  ///< by their tags
  Execution::Watch watch_;
  at::CallbackHandle handle_;
};

}  // namespace kit
