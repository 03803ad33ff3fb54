#include "core/gpu.h"

#include <dlfcn.h>

namespace kit {
namespace {

// Of the driver's interface, https://docs.nvidia.com/cuda/cuda-driver-api: it is stable, and building kit
// needs no CUDA.
constexpr int capability_major = 75;
constexpr int capability_minor = 76;

template <typename Function>
Function* function(void* library, const char* name) {
  return reinterpret_cast<Function*>(::dlsym(library, name));
}

}  // namespace

std::string gpu_target(int index) {
  void* driver = ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (driver == nullptr) return {};
  auto* const init = function<int(unsigned)>(driver, "cuInit");
  auto* const get = function<int(int*, int)>(driver, "cuDeviceGet");
  auto* const attribute = function<int(int*, int, int)>(driver, "cuDeviceGetAttribute");
  if (init == nullptr || get == nullptr || attribute == nullptr) return {};
  int device = 0;
  int major = 0;
  int minor = 0;
  if (init(0) != 0 || get(&device, index) != 0 || attribute(&major, capability_major, device) != 0 ||
      attribute(&minor, capability_minor, device) != 0)
    return {};
  return "cuda:sm_" + std::to_string(major) + std::to_string(minor);
}

}  // namespace kit
