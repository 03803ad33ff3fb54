#pragma once

#include <map>
#include <string>
#include <vector>

#include <kit/archive.h>
#include <kit/compare.h>
#include <kit/signature.h>
#include <kit/tensor.h>

#include "engines/program.h"

namespace kit {

/// Weights by name, and cases that they are verified with.
struct Weights {
  std::map<std::string, Tensor> tensors;
  std::vector<Case> cases;
};

/// Reads a .safetensors file with weights by their names in the model, and with cases: `cases/0.inputs.x`,
/// `cases/0.outputs.output`, and so on, for every input and output of the signature. Throws an input error
/// that names the path if it cannot be read, or a case is not whole.
Weights read_weights(const std::string& path, const Signature& signature);

/// Runs the cases, of which each begins with `seed`. Throws a parity error that names the path, the case and
/// the output, for the first that differs.
void replay(const Weights& weights, const std::string& path, const Signature& signature,
            const Tolerances& tolerances, const Program::Run& run, const std::function<void()>& seed);

}  // namespace kit
