#pragma once

#include <vector>

#include <kit/manifest.h>

#include "core/fields.h"

namespace kit {

/// The methods of a manifest: `forward`, whose fields are those of the manifest itself, then those under
/// "methods". Throws a fields::Fault.
std::vector<Method> read_methods(const fields::Json& manifest);

}  // namespace kit
