#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <kit/signature.h>
#include <kit/tensor.h>

namespace kit {

/// Throws an input error if these cannot be written to: undefined, not on the CPU, or with gaps. The name of
/// an output is that of the signature, which may not know any.
void check_memory(const std::vector<Tensor>& outputs, const Signature& signature);

/// Throws an input error if there are more or fewer.
void check_count(const std::vector<Tensor>& outputs, std::size_t wanted);

/// Throws an input error: the output is not what it must be for the inputs of a call.
[[noreturn]] void refuse_output(const std::string& name, DType dtype, const Shape& shape,
                                const Tensor& output);

/// Copies what a program has computed. Throws an input error for outputs of another number, dtype or shape.
void copy_into(const std::vector<Tensor>& outputs, const std::vector<Tensor>& computed,
               const Signature& signature);

}  // namespace kit
