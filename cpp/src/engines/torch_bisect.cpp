#include "engines/torch_bisect.h"

#include <map>

#include <ATen/Context.h>
#include <ATen/ops/clone.h>
#include <torch/csrc/jit/passes/utils/subgraph_utils.h>
#include <torch/version.h>

#include <kit/torch.h>

#include "engines/code_line.h"
#include "engines/switches.h"
#include "engines/torch_observe.h"
#include "engines/torch_piece.h"

namespace kit {
namespace {

namespace jit = torch::jit;

FusedOperation described(const jit::Node& node) { return {node.kind().toQualString(), code_line(node)}; }

std::vector<FusedOperation> described(const std::vector<jit::Node*>& nodes) {
  std::vector<FusedOperation> result;
  result.reserve(nodes.size());
  for (const jit::Node* node : nodes) result.push_back(described(*node));
  return result;
}

/// The difference that counts more: one beyond the tolerance, else the larger.
const Difference& worse(const Difference& a, const Difference& b) {
  if (a.within != b.within) return a.within ? b : a;
  if (a.bit_equal != b.bit_equal) return a.bit_equal ? b : a;
  return a.max_abs < b.max_abs ? b : a;
}

class Search {
 public:
  Search(const Execution& execution, const BisectOptions& options, const TensorsOf& tensors_of)
      : options_(options), tensors_of_(tensors_of), device_(execution.device()) {
    Configuration configuration = execution.configuration();
    configuration.executor = Executor::profiling;
    configuration.fusion = false;
    unfused_ = execution.with(configuration);
    configuration.fusion = true;
    fused_ = execution.with(configuration);
    settings_ = {true, configuration.static_depth.value(), configuration.dynamic_depth.value(), false};
    found_.device = device_.is_cpu() ? "cpu" : "cuda:" + std::to_string(device_.index());
    found_.torch = TORCH_VERSION;
    found_.configuration = configuration;
    found_.runs = options.runs;
  }

  Bisection run(const std::vector<std::vector<at::Tensor>>& cases) {
    found_.cases = static_cast<std::int64_t>(cases.size());
    for (std::size_t i = 0; i < cases.size() && !found_.differs; ++i) {
      found_.case_index = static_cast<std::int64_t>(i);
      settings_.large = device_.is_cuda() && is_large(cases[i]);
      run_case(cases[i]);
    }
    if (found_.differs) look_into(cases[static_cast<std::size_t>(found_.case_index)]);
    return std::move(found_);
  }

 private:
  void run_case(const std::vector<at::Tensor>& inputs) {
    const std::vector<at::Tensor> expected = call(*unfused_, inputs);
    for (int run = 1; run <= options_.runs; ++run) {
      const std::vector<at::Tensor> actual = call(*fused_, inputs);
      for (std::size_t j = 0; j < expected.size(); ++j) {
        const Difference difference = compared(actual.at(j), expected[j]);
        found_.difference = worse(found_.difference, difference);
        if (difference.within) continue;
        found_.differs = true;
        found_.difference = difference;
        found_.run = run;
        found_.output_index = static_cast<std::int64_t>(j);
        return;
      }
    }
  }

  /// The program may write into its inputs.
  static std::vector<c10::IValue> copies(const std::vector<at::Tensor>& inputs) {
    std::vector<c10::IValue> result;
    result.reserve(inputs.size());
    for (const at::Tensor& input : inputs) result.emplace_back(input.clone());
    return result;
  }

  void seed() const {
    if (options_.seed) at::manual_seed(*options_.seed);
  }

  std::vector<at::Tensor> call(const Execution& execution, const std::vector<at::Tensor>& inputs) const {
    seed();
    std::vector<at::Tensor> tensors = tensors_of_(execution.run(copies(inputs)));
    for (at::Tensor& tensor : tensors) tensor = tensor.clone();
    return tensors;
  }

  Difference compared(const at::Tensor& actual, const at::Tensor& expected) const {
    return compare(from_torch(actual.cpu()), from_torch(expected.cpu()), options_.tolerances);
  }

  Difference compared(const std::vector<c10::IValue>& actual,
                      const std::vector<c10::IValue>& expected) const {
    Difference worst;
    for (std::size_t i = 0; i < expected.size(); ++i)
      worst = worse(worst, compared(actual.at(i).toTensor(), expected[i].toTensor()));
    return worst;
  }

  /// Each group by itself, then inside the smallest that differs.
  void look_into(const std::vector<at::Tensor>& inputs) {
    const auto plan = fused_->plan();
    if (plan == nullptr) return;
    std::vector<c10::IValue> arguments = copies(inputs);
    arguments.insert(arguments.begin(), fused_->module()._ivalue());
    fused_->schema().checkAndNormalizeInputs(arguments, {});
    seed();
    const std::vector<ObservedGroup> groups = observe_groups(plan, std::move(arguments));
    std::optional<std::size_t> smallest;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      const GroupCheck check = checked(groups[i]);
      found_.groups.push_back(check);
      if (check.difference.within) continue;
      if (!smallest || check.operations.size() < found_.groups[*smallest].operations.size()) smallest = i;
    }
    if (!smallest) return;
    found_.group = static_cast<std::int64_t>(*smallest);
    const bool dynamic = found_.groups[*smallest].dynamic;
    const GroupBody body(*groups[*smallest].node->g(c10::attr::Subgraph), groups[*smallest].inputs);
    if (!look_into(body, dynamic) && dynamic) look_into(body, false);
  }

  GroupCheck checked(const ObservedGroup& group) {
    const auto body = group.node->g(c10::attr::Subgraph);
    return {.name = jit::SubgraphUtils::generateNameForGraph(body),
            .operations = described(operations_of(*body)),
            .dynamic = group.node->hasAttribute(c10::attr::symbolic_shape_inputs),
            .depth = group.depth,
            .difference = compared(run_as_compiled(group), group.outputs)};
  }

  /// What the kernel of the group gives, compiled anew.
  std::vector<c10::IValue> run_as_compiled(const ObservedGroup& group) {
    const Switches::Hold hold(settings_);
    auto& graph = kernels_[group.node];
    if (graph == nullptr) {
      graph = std::make_shared<jit::Graph>();
      std::map<const jit::Value*, jit::Value*> known;
      for (const jit::Value* input : group.node->inputs())
        if (!known.contains(input)) known[input] = graph->addInput()->setType(input->type());
      jit::Node* copy = graph->appendNode(graph->createClone(
          const_cast<jit::Node*>(group.node), [&](jit::Value* value) { return known.at(value); }));
      for (jit::Value* output : copy->outputs()) graph->registerOutput(output);
    }
    std::vector<c10::IValue> arguments;
    std::map<const jit::Value*, bool> given;
    for (std::size_t i = 0; i < group.inputs.size(); ++i)
      if (given.emplace(group.node->input(i), true).second) arguments.push_back(group.inputs[i]);
    return run_graph(graph, std::move(arguments));
  }

  /// Whether an operation was found.
  bool look_into(const GroupBody& body, bool dynamic) {
    const Switches::Hold hold(settings_);
    const std::size_t count = body.operations().size();
    for (std::size_t n = 1; n <= count; ++n) {
      if (prefix_agrees(body, n, dynamic)) continue;
      found_.operation = described(*body.operations()[n - 1]);
      found_.repro = smallest_repro(body, n, dynamic);
      return true;
    }
    return false;
  }

  /// Whether the outputs of the group are the same if its first n operations are fused and the others are
  /// not; true also where torch would not fuse these n.
  bool prefix_agrees(const GroupBody& body, std::size_t n, bool dynamic) const {
    const std::size_t count = body.operations().size();
    GroupBody::Values values = body.values();
    const Piece head = body.piece(0, n);
    const auto fused = run_fused(head, arguments_of(head, values), dynamic);
    if (!fused) return true;
    for (std::size_t i = 0; i < fused->size(); ++i) values[head.outputs[i]] = (*fused)[i];
    if (n < count) {
      const Piece rest = body.piece(n, count);
      const auto results = run_graph(rest.graph, arguments_of(rest, values));
      for (std::size_t i = 0; i < results.size(); ++i) values[rest.outputs[i]] = results[i];
    }
    const Piece whole = body.piece(0, count);
    Difference worst;
    for (const jit::Value* output : whole.outputs)
      worst = worse(worst, compared(values.at(output).toTensor(), body.values().at(output).toTensor()));
    return worst.within;
  }

  /// The fewest operations before and with the nth, else to the end of the group, that differ by themselves.
  std::optional<Repro> smallest_repro(const GroupBody& body, std::size_t n, bool dynamic) const {
    for (const std::size_t last : {n, body.operations().size()})
      for (std::size_t first = n; first-- > 0;)
        if (auto repro = shown(body.piece(first, last), body, dynamic)) {
          repro->operations = described({body.operations().begin() + static_cast<std::ptrdiff_t>(first),
                                         body.operations().begin() + static_cast<std::ptrdiff_t>(last)});
          return repro;
        }
    return std::nullopt;
  }

  /// The piece as a program, if it differs when it is fused.
  std::optional<Repro> shown(const Piece& piece, const GroupBody& body, bool dynamic) const {
    const std::vector<c10::IValue> arguments = arguments_of(piece, body.values());
    const auto fused = run_fused(piece, arguments, dynamic);
    if (!fused) return std::nullopt;
    Repro repro;
    repro.dynamic = dynamic;
    repro.difference = compared(*fused, run_graph(piece.graph, arguments));
    if (repro.difference.within) return std::nullopt;
    repro.program = standalone(piece);
    repro.graph = general(piece)->toString(false);
    for (const c10::IValue& argument : arguments) repro.inputs.push_back(from_torch(argument.toTensor()));
    return repro;
  }

  const BisectOptions& options_;
  const TensorsOf& tensors_of_;
  at::Device device_;
  std::unique_ptr<Execution> unfused_;
  std::unique_ptr<Execution> fused_;
  Switches::Settings settings_;
  std::map<const jit::Node*, std::shared_ptr<jit::Graph>> kernels_;
  Bisection found_;
};

}  // namespace

Bisection bisect_fusion(const Execution& execution, const std::vector<std::vector<at::Tensor>>& cases,
                        const BisectOptions& options, const TensorsOf& tensors_of) {
  return Search(execution, options, tensors_of).run(cases);
}

}  // namespace kit
