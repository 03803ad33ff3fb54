#include "engines/torch_call.h"

#include <algorithm>
#include <string_view>

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/ops/clone.h>

#include "engines/nvrtc.h"

namespace kit {

std::string summary(const std::exception& error) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  std::string_view text = torch_error != nullptr ? torch_error->what_without_backtrace() : error.what();
  if (const auto at = text.rfind("Error: "); at != std::string_view::npos) text.remove_prefix(at + 7);
  text.remove_prefix(std::min(text.find_first_not_of('\n'), text.size()));
  return std::string(text.substr(0, text.find('\n')));
}

at::Device find_device(const Device& device) {
  if (device.kind == Device::Kind::cpu) return at::kCPU;
  if (!at::globalContext().hasCUDA())
    throw Error(ErrorCode::unavailable,
                "the device " + device.str() +
                    " is not here: this host has no CUDA GPU, or its libtorch no CUDA; "
                    "give --device cpu");
  const int count = at::detail::getCUDAHooks().deviceCount();
  if (device.index >= count)
    throw Error(ErrorCode::unavailable, "the device " + device.str() + " is not here: the host has " +
                                            std::to_string(count) +
                                            "; give cuda:0 to cuda:" + std::to_string(count - 1));
  load_nvrtc_builtins();
  return {at::kCUDA, static_cast<at::DeviceIndex>(device.index)};
}

at::Tensor detached(const at::Tensor& tensor, at::Device home) {
  if (tensor.device() != home) return tensor.to(home);
  // Whoever else holds the tensor, or another view of its memory, is an input or the program.
  const bool shared = tensor.use_count() > 1 || (tensor.has_storage() && tensor.storage().use_count() > 1);
  return shared ? tensor.clone() : tensor;
}

}  // namespace kit
