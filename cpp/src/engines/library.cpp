#include "engines/library.h"

#include <dlfcn.h>

#include "engines/native.h"

namespace kit {

LoadProgram engine_loader(Engine engine) {
  if (engine == Engine::native) return load_native;
  const std::string kind(name(engine));
  // No path: the loader looks beside this library first, by its RUNPATH.
  constexpr const char* library = "libkit-torch.so";
  void* handle = ::dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = ::dlerror();
    throw Error(ErrorCode::unavailable, "the engine of " + kind + " programs cannot be loaded: " +
                                            std::string(reason != nullptr ? reason : library) +
                                            "; install kit again beside the torch that it was built against");
  }
  void* symbol = ::dlsym(handle, ("kit_load_" + kind).c_str());
  if (symbol == nullptr)
    throw Error(ErrorCode::unavailable, std::string(library) + " has no engine for " + kind +
                                            " programs: it is not of this version of kit; install kit again");
  return reinterpret_cast<LoadProgram>(symbol);
}

}  // namespace kit
