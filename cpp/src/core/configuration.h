#pragma once

#include <kit/configuration.h>

#include "core/fields.h"

namespace kit {

/// The `configuration` of a manifest. Throws a Fault.
Configuration read_configuration(const fields::Json& root);

}  // namespace kit
