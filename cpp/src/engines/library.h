#pragma once

#include "engines/program.h"

namespace kit {

/// The function that loads programs of this engine. Those of native programs are loaded without any further
/// library; for the others libkit-torch, and libtorch with it, is loaded at the first call and stays. Throws
/// an unavailable error that names what is missing.
LoadProgram engine_loader(Engine engine);

}  // namespace kit
