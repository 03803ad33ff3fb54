#include "engines/torch_node.h"

#include <sstream>

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/enum_tag.h>

namespace kit {

std::string type_of(const torch::jit::Value& value) {
  std::ostringstream text;
  text << *value.type();
  return text.str();
}

std::optional<bool> is_pointwise(const torch::jit::Node& node) {
  const c10::FunctionSchema* schema = node.maybeSchema();
  if (schema == nullptr) return std::nullopt;
  const auto operation = c10::Dispatcher::singleton().findOp(schema->operator_name());
  return operation ? std::optional(operation->hasTag(at::Tag::pointwise)) : std::nullopt;
}

}  // namespace kit
