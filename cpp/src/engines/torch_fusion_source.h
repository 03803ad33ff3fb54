#pragma once

#include <string>

#include <torch/csrc/jit/ir/ir.h>

namespace kit {

/// The code that torch generates for a group.
struct FusionSource {
  std::string language;
  std::string text;
};

/// Generates the code of a prim::TensorExprGroup once more, as torch does when it compiles the graph. Torch's
/// switches must be held.
FusionSource source_of(const torch::jit::Node& group);

/// Whether the group was compiled for varying sizes.
bool is_dynamic(const torch::jit::Node& group);

}  // namespace kit
