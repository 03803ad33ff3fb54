#pragma once

#include <string>
#include <vector>

namespace kit {

/// Loads the builtins of NVRTC, CUDA's compiler at run time, if they lie where libtorch is told to look for
/// libraries. Without them nothing is fused on a GPU.
///
/// NVRTC looks for them where the system keeps its libraries, while the torch of PyPI keeps both in packages
/// of their own. Its Python module loads them by their paths; nobody does in a process without Python.
void load_nvrtc_builtins();

/// The folders in which the loader looks for what a library needs that is loaded already, in order; none if
/// it is not loaded.
std::vector<std::string> folders_of_library(const char* library);

/// The builtins of NVRTC in the first of the folders that has any: paths, in order.
std::vector<std::string> find_nvrtc_builtins(const std::vector<std::string>& folders);

}  // namespace kit
