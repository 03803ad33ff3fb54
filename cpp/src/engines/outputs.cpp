#include "engines/outputs.h"

#include <cstring>

#include <kit/error.h>

namespace kit {
namespace {

/// "output 'y'", or "output 0" where names are unknown.
std::string named(std::size_t index, const Signature& signature) {
  return index < signature.outputs.size() ? "output '" + signature.outputs[index].name + "'"
                                          : "output " + std::to_string(index);
}

[[noreturn]] void refuse(const std::string& output, const std::string& wanted, const std::string& got) {
  throw Error(ErrorCode::input, output + ": wanted " + wanted + ", got " + got);
}

}  // namespace

void check_memory(const std::vector<Tensor>& outputs, const Signature& signature) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& output = outputs[i];
    const char* const wanted = "memory on the CPU, row-major without gaps";
    if (!output.defined()) refuse(named(i, signature), wanted, "an undefined tensor");
    if (output.device().kind != Device::Kind::cpu)
      refuse(named(i, signature), wanted, output.str() + " on " + output.device().str());
    if (!output.is_contiguous()) refuse(named(i, signature), wanted, output.str() + " with gaps");
  }
}

void check_count(const std::vector<Tensor>& outputs, std::size_t wanted) {
  if (outputs.size() != wanted)
    throw Error(ErrorCode::input,
                "wanted " + std::to_string(wanted) + " outputs, got " + std::to_string(outputs.size()));
}

void refuse_output(const std::string& name, DType dtype, const Shape& shape, const Tensor& output) {
  refuse("output '" + name + "'", std::string(kit::name(dtype)) + str(shape) + " for these inputs",
         output.str());
}

void copy_into(const std::vector<Tensor>& outputs, const std::vector<Tensor>& computed,
               const Signature& signature) {
  check_count(outputs, computed.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& from = computed[i];
    if (from.dtype() != outputs[i].dtype() || from.shape() != outputs[i].shape())
      refuse(named(i, signature), from.str() + " for these inputs", outputs[i].str());
    const Tensor whole = from.contiguous();
    if (whole.nbytes() > 0) std::memcpy(outputs[i].data(), whole.data(), whole.nbytes());
  }
}

}  // namespace kit
