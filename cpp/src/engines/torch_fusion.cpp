#include "engines/torch_fusion.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include <torch/csrc/jit/passes/tensorexpr_fuser.h>
#include <torch/version.h>

#include <kit/error.h>

#include "engines/code_line.h"
#include "engines/switches.h"
#include "engines/torch_fusion_events.h"
#include "engines/torch_fusion_plan.h"
#include "engines/torch_fusion_reason.h"
#include "engines/torch_fusion_source.h"
#include "engines/torch_node.h"

namespace kit {
namespace {

namespace jit = torch::jit;

FusedOperation operation_of(const jit::Node& node) { return {node.kind().toQualString(), code_line(node)}; }

FusionGroup group_of(const FusionPlan::Site& site) {
  const jit::Node& node = *site.node;
  const std::shared_ptr<jit::Graph>& graph = node.g(c10::attr::Subgraph);
  FusionSource source = source_of(node);
  FusionGroup group;
  group.name = site.name;
  group.dynamic = is_dynamic(node);
  group.language = std::move(source.language);
  group.source = std::move(source.text);
  for (const jit::Node* one : graph->nodes())
    if (is_operation(*one)) group.operations.push_back(operation_of(*one));
  for (const jit::Value* input : graph->inputs()) group.inputs.push_back(type_of(*input));
  return group;
}

/// Fills in the groups of the plans, what they left out, and what ran.
class Reporter {
 public:
  Reporter(FusionReport& report, const FusionObserver& observer) : report_(report), observer_(observer) {
    static_depth_ = report.configuration.static_depth.value();
    depth_ = std::int64_t{static_depth_} + report.configuration.dynamic_depth.value();
  }

  /// The executed graph and, below it, those of fallbacks: level by level, so that groups come in that order.
  void add(const std::shared_ptr<jit::Graph>& root) {
    std::deque<Place> waiting{{root, std::nullopt, 0}};
    for (; !waiting.empty(); waiting.pop_front()) {
      const Plan& plan = add(waiting.front());
      for (const FusionPlan::Site& site : plan.content.sites())
        if (site.plan != nullptr) waiting.push_back({site.plan, guarded(plan, site), plan.depth + 1});
    }
  }

  /// Counts what ran in a call.
  void count(const FusionTrace& trace) { count(trace, plans_.front()); }

 private:
  struct Plan {
    explicit Plan(const std::shared_ptr<jit::Graph>& graph) : content(graph) {}

    FusionPlan content;
    std::map<std::size_t, int> groups;  ///< the index in the report of the group at a site
    int depth = 0;
  };
  struct Place {
    std::shared_ptr<jit::Graph> graph;
    std::optional<int> instead_of;
    int depth;
  };

  /// The group in whose place a fallback runs.
  static std::optional<int> guarded(const Plan& plan, const FusionPlan::Site& site) {
    return site.guards ? std::optional(plan.groups.at(*site.guards)) : std::nullopt;
  }

  const Plan& add(const Place& place) {
    Plan& plan = plans_.emplace_back(place.graph);
    plan.depth = place.depth;
    index_[place.graph.get()] = plans_.size() - 1;
    for (std::size_t i = 0; i < plan.content.sites().size(); ++i) {
      const FusionPlan::Site& site = plan.content.sites()[i];
      if (site.name.empty()) continue;
      plan.groups[i] = static_cast<int>(report_.groups.size());
      report_.groups.push_back(group_of(site));
      report_.groups.back().instead_of = place.instead_of;
    }
    // Where the depths are used up, torch does not try to fuse.
    if (place.depth < depth_)
      leave_out(*place.graph->block(), place.instead_of, place.depth >= static_depth_);
    return plan;
  }

  void leave_out(jit::Block& block, std::optional<int> instead_of, bool dynamic) {
    for (jit::Node* node : block.nodes()) {
      jit::Node* typed = observer_.typed(*node);
      if (is_operation(*node) && typed != nullptr)
        report_.left_out.push_back({operation_of(*node), reason_left_out(*typed, dynamic), instead_of});
      for (jit::Block* inner : node->blocks()) leave_out(*inner, instead_of, dynamic);
    }
  }

  void count(const FusionTrace& trace, const Plan& plan) {
    const std::vector<std::set<std::size_t>> sites = plan.content.match(trace.events);
    for (std::size_t i = 0; i < sites.size(); ++i) {
      if (sites[i].size() == 1) {
        count(trace.events[i], plan, *sites[i].begin());
      } else {
        doubt(plan);
      }
    }
  }

  void count(const FusionTrace::Event& event, const Plan& plan, std::size_t place) {
    const FusionPlan::Site& site = plan.content.sites()[place];
    if (event.fallback == nullptr) {
      ++report_.groups.at(plan.groups.at(place)).runs;
      return;
    }
    if (const auto group = guarded(plan, site)) ++report_.groups.at(*group).fallbacks;
    if (site.plan != nullptr) count(*event.fallback, plans_[index_.at(site.plan.get())]);
  }

  /// It cannot be told which of the groups ran.
  void doubt(const Plan& plan) {
    for (const auto& [site, group] : plan.groups) report_.groups.at(group).counted = false;
    for (const FusionPlan::Site& site : plan.content.sites())
      if (site.plan != nullptr) doubt(plans_[index_.at(site.plan.get())]);
  }

  FusionReport& report_;
  const FusionObserver& observer_;
  int static_depth_ = 0;    ///< how many plans, one within the other, are for one size
  std::int64_t depth_ = 0;  ///< how many there are in all
  std::deque<Plan> plans_;
  std::map<const jit::Graph*, std::size_t> index_;
};

/// Why torch fuses nothing under this configuration, if it does not.
std::optional<std::string> switched_off(const Configuration& configuration) {
  if (configuration.executor == Executor::simple) return "the simple executor fuses nothing";
  if (!configuration.fusion.value()) return "fusion is off";
  if (configuration.static_depth == 0 && configuration.dynamic_depth == 0)
    return "static and dynamic depth are both 0, so nothing is compiled";
  return std::nullopt;
}

/// Fills in what was compiled and, given what ran in each call, how often.
void describe(FusionReport& report, const Execution& execution, const FusionObserver& observer,
              const std::vector<FusionTrace>& calls, bool large) {
  const Configuration& configuration = execution.configuration();
  const Switches::Hold hold(
      {true, configuration.static_depth.value(), configuration.dynamic_depth.value(), large});
  if (!jit::tensorExprFuserEnabled()) {
    report.note = "the environment's PYTORCH_TENSOREXPR turns torch's fuser off";
    return;
  }
  const std::shared_ptr<jit::Graph> plan = execution.plan();
  if (plan == nullptr) {
    report.note = "nothing was compiled: torch does that in the second call; give 2 calls or more";
    return;
  }
  Reporter reporter(report, observer);
  reporter.add(plan);
  for (const FusionTrace& call : calls) reporter.count(call);
}

}  // namespace

FusionReport fusion_of(const Execution& execution, const std::vector<std::vector<at::Tensor>>& inputs,
                       int calls) {
  if (inputs.empty() || calls < 1)
    throw Error(ErrorCode::usage, "nothing is run, so nothing is fused; give inputs, and 1 call or more");
  const Configuration& configuration = execution.configuration();
  const std::unique_ptr<const Execution> own = execution.with(configuration);
  FusionReport report;
  report.device = execution.device().str();
  report.torch = TORCH_VERSION;
  report.configuration = configuration;
  FusionObserver observer;
  std::vector<FusionTrace> traces;
  const std::uint64_t before = Execution::compilations();
  for (const std::vector<at::Tensor>& one : inputs) {
    for (int i = 0; i < calls; ++i) {
      own->run({one.begin(), one.end()});
      traces.push_back(observer.take());
    }
  }
  report.calls = static_cast<std::int64_t>(traces.size());
  report.compilations = static_cast<std::int64_t>(Execution::compilations() - before);
  report.note = switched_off(configuration);
  const bool large = std::any_of(inputs.begin(), inputs.end(), [&](const std::vector<at::Tensor>& one) {
    return own->device().is_cuda() && is_large(one);
  });
  if (!report.note) describe(report, *own, observer, traces, large);
  return report;
}

}  // namespace kit
