#include "engines/torch_graph.h"

#include <kit/error.h>

#include "engines/graph_builder.h"

namespace kit {
namespace {

constexpr int most_calls = 20;

/// Runs the inputs until nothing more is compiled. The first call of a size compiles nothing, it is watched;
/// so only two calls in a row tell.
void settle(const Execution& execution, const std::vector<at::Tensor>& inputs) {
  int still = 0;
  for (int call = 0; call < most_calls && still < 2; ++call) {
    const std::uint64_t count = Execution::compilations();
    const std::string before = execution.fingerprint();
    execution.run({inputs.begin(), inputs.end()});
    const bool changed = Execution::compilations() != count || execution.fingerprint() != before;
    still = changed ? 0 : still + 1;
  }
  if (still < 2)
    throw Error(ErrorCode::unavailable, "the program still compiles after " + std::to_string(most_calls) +
                                            " calls with the same inputs: it has no optimized graph that "
                                            "stays; look at the stage traced or frozen");
}

std::unique_ptr<Execution> with_freezing(const Execution& execution, bool freeze) {
  Configuration configuration = execution.configuration();
  configuration.freeze = freeze;
  try {
    return execution.with(configuration);
  } catch (const c10::Error& error) {
    const std::string what = error.what_without_backtrace();
    throw Error(ErrorCode::archive, "libtorch cannot freeze the model: " + what.substr(0, what.find('\n')) +
                                        "; look at the stage traced");
  }
}

}  // namespace

Graph graph_at(const Execution& execution, Stage stage, const std::vector<at::Tensor>& inputs) {
  const bool optimized = stage == Stage::optimized;
  const bool freeze = optimized ? execution.configuration().freeze.value() : stage == Stage::frozen;
  const std::unique_ptr<Execution> own = with_freezing(execution, freeze);
  const std::unique_ptr<Execution> loaded = freeze ? with_freezing(execution, false) : nullptr;
  if (optimized) settle(*own, inputs);
  const std::shared_ptr<torch::jit::Graph> graph = optimized ? own->plan() : own->graph();
  if (graph == nullptr)
    throw Error(ErrorCode::internal, "the executor shows no graph after it has run; report it");
  return build_graph(*graph, own->module(), (loaded ? *loaded : *own).module());
}

}  // namespace kit
