#pragma once

#include "engines/program.h"

namespace kit {

/// Loads a method of a native program from the archive's bytes; it needs no libtorch. A LoadProgram. Of the
/// configuration it takes the threads. Throws an archive error for what is no program of kit's, or another
/// than the manifest says, an unavailable error for what this host cannot load.
Program* load_native(const Archive& archive, const ProgramInfo& info, const std::string& method,
                     const Device& device, const Configuration& configuration);

}  // namespace kit
