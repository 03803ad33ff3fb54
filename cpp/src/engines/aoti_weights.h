#pragma once

#include <map>
#include <string>
#include <unordered_map>

#include <ATen/core/Tensor.h>

#include <kit/tensor.h>

#include "engines/aoti_package.h"

namespace kit {

/// What is to be loaded into a package for these weights: a tensor for each of its constants, those that are
/// no weights as they are, by the name that the package's code has for it, laid out in memory as the
/// constant. `where` names the weights in messages. Throws an input error that names the first that is
/// unknown, missing, or of another dtype or shape; an unavailable error if the package's weights cannot be
/// replaced.
std::unordered_map<std::string, at::Tensor> new_constants(const AotiPackage& package,
                                                          const std::map<std::string, Tensor>& weights,
                                                          const std::string& where);

}  // namespace kit
