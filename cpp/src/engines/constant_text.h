#pragma once

#include <string>

#include <ATen/core/ivalue.h>

namespace kit {

/// A constant in few words: "20", "0.5", "True", "\"cpu\"", "None", "[1, 1]", "Float(3, 8) tensor". A tensor
/// of one element is told by its value; what is long is cut.
std::string constant_text(const c10::IValue& value);

}  // namespace kit
