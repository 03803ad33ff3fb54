#pragma once

#include <optional>
#include <string>

#include <torch/csrc/jit/ir/ir.h>

namespace kit {

/// The type of a value with sizes and strides, which its `str` leaves out.
std::string type_of(const torch::jit::Value& value);

/// Whether torch says of the operation that it computes element by element; nothing if it is none of torch's.
std::optional<bool> is_pointwise(const torch::jit::Node& node);

}  // namespace kit
