#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include <kit/model.h>
#include <kit/tensor.h>

namespace kit {

/// A kit tensor over the memory of `tensor`, which it keeps alive. Strides and device are kept; a lazily
/// conjugated or negated tensor is computed first. Throws an input error for a tensor that is sparse,
/// quantized, undefined, or of a dtype that kit does not know.
Tensor from_torch(const at::Tensor& tensor);

/// An at::Tensor over the memory of `tensor`, which it keeps alive if `tensor` has an owner; without one the
/// caller does. Gives back the very tensor that `from_torch` was given.
at::Tensor to_torch(const Tensor& tensor);

/// `Model::predict` for at::Tensor: the same checks, no copies.
std::vector<at::Tensor> predict(const Model& model, const std::vector<at::Tensor>& inputs);

}  // namespace kit
