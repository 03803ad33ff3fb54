#include "engines/torch_fusion_source.h"

#include <sstream>
#include <unordered_map>
#include <vector>

#include <torch/csrc/jit/tensorexpr/ir_printer.h>
#include <torch/csrc/jit/tensorexpr/kernel.h>

namespace kit {
namespace {

namespace jit = torch::jit;
namespace attr = c10::attr;

using Strides = std::unordered_map<const jit::Value*, std::vector<jit::StrideInput>>;

/// The strides of a group for varying sizes, as torch keeps them: for each tensor it takes and gives.
Strides strides_of(const jit::Node& group, const jit::Graph& graph) {
  Strides strides;
  const auto inputs = group.ival(attr::striding_inputs_desc).to<std::vector<std::vector<std::string>>>();
  std::size_t index = 0;
  for (const jit::Value* value : graph.inputs()) {
    if (!value->type()->cast<c10::TensorType>()) continue;
    for (const std::string& one : inputs.at(index)) strides[value].push_back(jit::strideInputFromString(one));
    ++index;
  }
  const auto outputs = group.ival(attr::striding_outputs_desc).to<std::vector<std::string>>();
  for (std::size_t i = 0; i < graph.outputs().size(); ++i)
    strides[graph.outputs()[i]] = {jit::strideInputFromString(outputs.at(i))};
  return strides;
}

}  // namespace

bool is_dynamic(const jit::Node& group) { return group.hasAttribute(attr::striding_inputs_desc); }

FusionSource source_of(const jit::Node& group) {
  const std::shared_ptr<jit::Graph> graph = group.g(attr::Subgraph)->copy();  // the kernel changes it
  std::vector<std::int64_t> symbols;
  Strides strides;
  if (is_dynamic(group)) {
    if (group.hasAttribute(attr::symbolic_shape_inputs)) symbols = group.is(attr::symbolic_shape_inputs);
    strides = strides_of(group, *graph);
  }
  jit::tensorexpr::TensorExprKernel kernel(graph, {}, symbols, false, strides);
  if (std::string text = kernel.getCodeText(); !text.empty()) return {"CUDA C++", std::move(text)};
  // The interpreter of the CPU has no other code than the statement itself.
  std::ostringstream text;
  text << *kernel.getCodeGenStmt();
  return {"tensor expressions", text.str()};
}

}  // namespace kit
