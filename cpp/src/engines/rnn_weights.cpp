#include "engines/rnn_weights.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/ops/_cudnn_rnn_flatten_weight.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/runtime/graph_iterator.h>

namespace kit {
namespace {

namespace jit = torch::jit;
using Mode = RnnWeights::Mode;

/// The mode, and how many gates a hidden unit has.
const std::map<std::string, std::pair<Mode, std::int64_t>> kinds{
    {"aten::lstm", {Mode::lstm, 4}},
    {"aten::gru", {Mode::gru, 3}},
    {"aten::rnn_tanh", {Mode::tanh, 1}},
    {"aten::rnn_relu", {Mode::relu, 1}},
};

/// What a chain of attributes of the module leads to.
std::optional<c10::IValue> attribute(const jit::Value* value, const jit::Value* self,
                                     const c10::IValue& module) {
  if (value == self) return module;
  if (value->node()->kind() != c10::prim::GetAttr) return std::nullopt;
  const std::optional<c10::IValue> owner = attribute(value->node()->input(), self, module);
  if (!owner || !owner->isObject()) return std::nullopt;
  return owner->toObjectRef().getAttr(value->node()->s(c10::attr::name));
}

std::vector<at::Tensor> tensors(const jit::Value* list, const jit::Value* self, const c10::IValue& module) {
  std::vector<at::Tensor> found;
  if (list->node()->kind() != c10::prim::ListConstruct) return found;
  for (const jit::Value* value : list->node()->inputs()) {
    const std::optional<c10::IValue> one = attribute(value, self, module);
    if (!one || !one->isTensor()) return {};
    found.push_back(one->toTensor());
  }
  return found;
}

template <typename Value>
std::optional<Value> constant(const jit::Node& node, const char* name) {
  return node.hasNamedInput(name) ? jit::constant_as<Value>(node.namedInput(name)) : std::nullopt;
}

std::optional<RnnWeights> weights_of(const jit::Node& node, const jit::Value* self,
                                     const c10::IValue& module) {
  const auto kind = kinds.find(node.kind().toQualString());
  if (kind == kinds.end() || node.maybeSchema() == nullptr || !node.hasNamedInput("params"))
    return std::nullopt;
  const auto biases = constant<bool>(node, "has_biases");
  const auto layers = constant<std::int64_t>(node, "num_layers");
  const auto bidirectional = constant<bool>(node, "bidirectional");
  if (!biases || !layers || !bidirectional) return std::nullopt;
  RnnWeights result{.mode = kind->second.first,
                    .weights = tensors(node.namedInput("params"), self, module),
                    .layers = *layers,
                    // Packed sequences have no such input, and batches are not their first dimension.
                    .batch_first = constant<bool>(node, "batch_first").value_or(false),
                    .bidirectional = *bidirectional};
  const auto count = static_cast<std::int64_t>(result.weights.size());
  const std::int64_t cells = *layers * (*bidirectional ? 2 : 1);
  const std::int64_t plain = *biases ? 4 : 2;
  result.stride = cells > 0 ? count / cells : 0;
  if (count == 0 || result.stride * cells != count || (result.stride != plain && result.stride != plain + 1))
    return std::nullopt;
  const at::Tensor& from_input = result.weights.front();
  if (from_input.dim() != 2) return std::nullopt;
  result.input_size = from_input.size(1);
  result.hidden_size = from_input.size(0) / kind->second.second;
  if (result.stride > plain) result.proj_size = result.weights[static_cast<std::size_t>(plain)].size(0);
  return result;
}

/// Whether cuDNN computes with them, which wants one dtype, and no weight in two places.
bool fits_cudnn(const std::vector<at::Tensor>& weights) {
  const at::Tensor& first = weights.front();
  const at::ScalarType dtype = first.scalar_type();
  if (dtype != at::kFloat && dtype != at::kDouble && dtype != at::kHalf) return false;
  std::vector<const void*> places;
  for (const at::Tensor& weight : weights) {
    if (!weight.is_cuda() || weight.device() != first.device() || weight.scalar_type() != dtype) return false;
    places.push_back(weight.const_data_ptr());
  }
  std::sort(places.begin(), places.end());
  return std::adjacent_find(places.begin(), places.end()) == places.end();
}

}  // namespace

std::vector<RnnWeights> rnn_weights(const jit::Module& module) {
  std::vector<RnnWeights> found;
  for (const jit::Method& method : module.get_methods()) {
    auto graph = jit::toGraphFunction(method.function()).graph()->copy();
    jit::Inline(*graph);
    jit::DepthFirstGraphNodeIterator nodes(graph);
    while (const jit::Node* node = nodes.next())
      if (auto one = weights_of(*node, graph->inputs().front(), module._ivalue()))
        found.push_back(std::move(*one));
  }
  return found;
}

void gather_rnn_weights(const jit::Module& module) {
  if (!at::globalContext().userEnabledCuDNN() || !at::detail::getCUDAHooks().compiledWithCuDNN()) return;
  const at::NoGradGuard no_grad;
  for (const RnnWeights& one : rnn_weights(module))
    if (fits_cudnn(one.weights))
      at::_cudnn_rnn_flatten_weight(one.weights, one.stride, one.input_size,
                                    static_cast<std::int64_t>(one.mode), one.hidden_size, one.proj_size,
                                    one.layers, one.batch_first, one.bidirectional);
}

}  // namespace kit
