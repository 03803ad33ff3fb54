#include "engines/library.h"

#include <dlfcn.h>

namespace kit {

LoadProgram engine_loader(Engine engine) {
  if (engine != Engine::torchscript)
    throw Error(ErrorCode::unavailable,
                "this version of kit has no engine for " + std::string(name(engine)) + " programs");
  // No path: the loader looks beside this library first, by its RUNPATH.
  constexpr const char* library = "libkit-torch.so";
  void* handle = ::dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = ::dlerror();
    throw Error(ErrorCode::unavailable, "the torchscript engine cannot be loaded: " +
                                            std::string(reason != nullptr ? reason : library) +
                                            "; install kit again beside the torch that it was built against");
  }
  void* symbol = ::dlsym(handle, "kit_load_torchscript");
  if (symbol == nullptr)
    throw Error(ErrorCode::unavailable,
                std::string(library) + " is not of this version of kit; install kit again");
  return reinterpret_cast<LoadProgram>(symbol);
}

}  // namespace kit
