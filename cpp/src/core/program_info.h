#pragma once

#include <vector>

#include <kit/manifest.h>

#include "core/fields.h"

namespace kit {

/// The programs of a manifest, whose methods and members are those given. Throws a fields::Fault.
std::vector<ProgramInfo> read_programs(const fields::Json& manifest, const std::vector<Method>& methods,
                                       const std::vector<MemberInfo>& members);

}  // namespace kit
