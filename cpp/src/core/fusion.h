#pragma once

#include <kit/fusion.h>

#include "core/fields.h"

namespace kit {

/// The operation, and its line if that is known.
fields::Json json_of(const FusedOperation& one);

}  // namespace kit
