#pragma once

#include <string>

namespace kit {

/// What programs for the CUDA device of that index are compiled for, "cuda:sm_90"; empty if there is none. It
/// asks the driver, which is loaded for it and stays.
std::string gpu_target(int index);

}  // namespace kit
