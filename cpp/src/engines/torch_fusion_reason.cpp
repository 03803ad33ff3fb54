#include "engines/torch_fusion_reason.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <vector>

#include <c10/core/ScalarType.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/tensorexpr_fuser.h>
#include <torch/csrc/jit/runtime/operator.h>
#include <torch/csrc/jit/runtime/symbolic_shape_registry.h>
#include <torch/csrc/jit/runtime/symbolic_shape_registry_util.h>
#include <torch/csrc/jit/tensorexpr/kernel.h>

#include "engines/torch_node.h"

namespace kit {
namespace {

namespace jit = torch::jit;

using Reason = std::optional<std::string>;

bool is_one_of(const jit::Node& node, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), node.kind().toQualString()) != names.end();
}

c10::TensorTypePtr tensor_type(const jit::Value* value) { return value->type()->cast<c10::TensorType>(); }

bool is_tensor(const jit::Value* value) { return tensor_type(value) != nullptr; }

/// What the operation takes, those in a list of tensors too.
std::vector<jit::Value*> taken(jit::Node& node) {
  std::vector<jit::Value*> values;
  for (jit::Value* input : node.inputs()) {
    values.push_back(input);
    if (input->node()->kind() == c10::prim::ListConstruct)
      for (jit::Value* element : input->node()->inputs()) values.push_back(element);
  }
  return values;
}

/// Whether its output may be a view of an input.
bool gives_view(const jit::Node& node) {
  if (node.kind() == c10::prim::ConstantChunk) return true;
  const c10::FunctionSchema* schema = node.maybeSchema();
  return schema != nullptr && !schema->returns().empty() &&
         schema->returns().front().alias_info() != nullptr && !schema->is_mutable();
}

bool is_compute_heavy(const jit::Node& node) {
  return is_one_of(node, {"aten::matmul", "aten::conv2d", "aten::_convolution"});
}

/// Of operations that torch's fuser does not take, whatever their types.
Reason unsupported(jit::Node& node) {
  if (jit::tensorexpr::isSupported(&node)) return std::nullopt;
  if (const c10::FunctionSchema* schema = node.maybeSchema(); schema != nullptr && schema->is_mutable())
    return "it changes a tensor in place";
  if (jit::get_tensorexpr_elementwise_set().contains(&node)) {
    for (const jit::Value* input : node.inputs())
      if (input->type()->cast<c10::NumberType>()) return "it takes a number that may be whole or not";
    return "its dtype or device is no constant";
  }
  if (is_pointwise(node).value_or(false)) return "torch's fuser has no kernel for it";
  return "it is not pointwise";
}

Reason unknown_types(jit::Node& node) {
  const auto known = [](const jit::Value* value) { return !is_tensor(value) || value->isCompleteTensor(); };
  const std::vector<jit::Value*> inputs = taken(node);
  if (std::all_of(inputs.begin(), inputs.end(), known) &&
      std::all_of(node.outputs().begin(), node.outputs().end(), known))
    return std::nullopt;
  return "the sizes, strides and dtypes of its tensors were not all the same whenever it ran";
}

/// The operations that PYTORCH_TENSOREXPR_DONT_FUSE names, with colons between them.
bool is_switched_off(const jit::Node& node) {
  const char* names = std::getenv("PYTORCH_TENSOREXPR_DONT_FUSE");
  if (names == nullptr || !node.kind().is_aten()) return false;
  const std::string all = std::string(":") + names + ":";
  return all.find(std::string(":") + node.kind().toUnqualString() + ":") != std::string::npos;
}

Reason wrong_device(jit::Node& node) {
  for (const jit::Value* value : node.inputs()) {
    const auto type = tensor_type(value);
    if (type != nullptr && !type->device()->is_cpu() && !type->device()->is_cuda())
      return "torch's fuser makes no kernels for " + type->device()->str();
  }
  const auto inputs = taken(node);
  if (!jit::tensorexpr::pickDeviceType(inputs)) return "its tensors are on several devices";
  return std::nullopt;
}

Reason wrong_dtype(const jit::Node& node) {
  const bool divides = is_one_of(node, {"aten::fmod", "aten::remainder"});
  const bool shifts = is_one_of(node, {"aten::__lshift__", "aten::__rshift__"});
  for (const jit::Value* value : node.inputs()) {
    const auto type = tensor_type(value);
    if (type == nullptr) {
      if (divides && !value->type()->cast<c10::FloatType>()) return "it takes whole numbers";
      if (shifts && !value->type()->cast<c10::IntType>()) return "it takes numbers that are not whole";
      continue;
    }
    const c10::ScalarType dtype = *type->scalarType();
    const std::string name(c10::getDtypeNames(dtype).first);
    if (c10::isComplexType(dtype) || c10::isQIntType(dtype) || dtype == c10::kByte)
      return "torch's fuser takes no " + name;
    if (type->device()->is_cpu() && (dtype == c10::kHalf || dtype == c10::kBFloat16))
      return "torch's fuser takes no " + name + " on the CPU";
    if (divides && !c10::isFloatingType(dtype)) return "torch's fuser does not divide " + name;
    if (shifts && c10::isFloatingType(dtype)) return "torch's fuser does not shift " + name;
  }
  if (node.kind() == c10::aten::pow && is_tensor(node.input(0)) && !is_tensor(node.input(1)) &&
      !c10::isFloatingType(*tensor_type(node.input(0))->scalarType()))
    return "torch's fuser takes no powers of whole numbers";
  return std::nullopt;
}

bool is_constant(const jit::Value* value) { return value->node()->kind() == c10::prim::Constant; }

/// What torch asks of single operations.
Reason wrong_arguments(jit::Node& node, bool dynamic) {
  const bool cpu = jit::tensorexpr::pickDeviceType(taken(node))->is_cpu();
  if (node.kind() == c10::aten::cat &&
      (node.input(0)->node()->kind() != c10::prim::ListConstruct || node.input(0)->uses().size() != 1))
    return "its list of tensors is used elsewhere, too";
  if (is_one_of(node, {"aten::cat", "aten::unsqueeze"}) && !is_constant(node.input(1)))
    return "its dimension is no constant";
  if (node.kind() == c10::aten::batch_norm) {
    const auto training = jit::toIValue(node.input(5));
    if (!training || !training->isBool() || training->toBool()) return "it may be training";
  }
  if (is_one_of(node, {"aten::erf", "aten::erfc"}) && cpu) return "torch's fuser takes it on CUDA alone";
  if (is_compute_heavy(node)) {
    if (!cpu) return "it is not pointwise";
    return dynamic ? "it is not pointwise, and on the CPU it is fused for fixed sizes alone"
                   : "it is not pointwise, and its sizes and strides are none that torch's fuser takes";
  }
  if (node.kind() == c10::aten::to) return "torch's fuser takes no conversion with these arguments";
  return std::nullopt;
}

bool has_shape_function(const jit::Node& node) {
  return node.isMemberOf(jit::tensorexpr::getCustomOperatorSet()) ||
         (node.maybeSchema() != nullptr && jit::shapeComputeGraphForSchema(node.schema()));
}

/// Why torch's fuser takes the operation into no group at all; nothing if it might.
Reason refused(jit::Node& node, bool dynamic) {
  if (std::none_of(node.outputs().begin(), node.outputs().end(), is_tensor)) return "it gives no tensor";
  if (Reason reason = unsupported(node)) return reason;
  const auto inputs = taken(node);
  if (std::none_of(inputs.begin(), inputs.end(), is_tensor)) return "it takes no tensor";
  if (Reason reason = unknown_types(node)) return reason;
  if (is_switched_off(node)) return "PYTORCH_TENSOREXPR_DONT_FUSE names it";
  if (Reason reason = wrong_device(node)) return reason;
  if (Reason reason = wrong_dtype(node)) return reason;
  if (Reason reason = wrong_arguments(node, dynamic)) return reason;
  if (dynamic && !has_shape_function(node)) return "torch does not know its output's shape for varying sizes";
  return std::nullopt;
}

/// The operations whose output it takes, or that take its output, in the same block.
std::vector<jit::Node*> beside(jit::Node& node, bool before) {
  std::vector<jit::Node*> found;
  const auto add = [&](jit::Node* one) {
    if (one->owningBlock() == node.owningBlock() && is_operation(*one)) found.push_back(one);
  };
  if (before) {
    for (jit::Value* value : taken(node)) add(value->node());
    return found;
  }
  for (const jit::Value* value : node.outputs()) {
    for (const jit::Use& use : value->uses()) {
      add(use.user);
      if (use.user->kind() != c10::prim::ListConstruct) continue;
      for (const jit::Use& list : use.user->output()->uses()) add(list.user);
    }
  }
  return found;
}

}  // namespace

bool is_operation(const jit::Node& node) {
  return !node.kind().is_prim() ||
         is_one_of(node, {"prim::ConstantChunk", "prim::MMTreeReduce", "prim::MMBatchSide"});
}

std::string reason_left_out(jit::Node& node, bool dynamic) {
  if (Reason reason = refused(node, dynamic)) return *reason;
  const auto fusible = [&](jit::Node* one) { return !refused(*one, dynamic); };
  const std::vector<jit::Node*> producers = beside(node, true);
  const std::vector<jit::Node*> consumers = beside(node, false);
  const auto producer = std::find_if(producers.begin(), producers.end(), fusible);
  const auto consumer = std::find_if(consumers.begin(), consumers.end(), fusible);
  if (producer == producers.end() && consumer == consumers.end())
    return "it is alone: nothing beside it can be fused, and a group has two operations or more";
  if (gives_view(node) && consumer == consumers.end()) return "no group of torch's ends with a view";
  if (gives_view(node) && consumers.size() > 1) return "it is a view that several operations take";
  const jit::Node* other = consumer != consumers.end() ? *consumer : *producer;
  return std::string("torch's fuser could not merge it with the ") + other->kind().toQualString() +
         " beside it";
}

}  // namespace kit
