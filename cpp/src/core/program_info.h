#pragma once

#include <string>
#include <vector>

#include <kit/manifest.h>

#include "core/fields.h"

namespace kit {

/// The programs of a manifest, whose methods and members are those given. Throws a fields::Fault.
std::vector<ProgramInfo> read_programs(const fields::Json& manifest, const std::vector<Method>& methods,
                                       const std::vector<MemberInfo>& members);

/// The digests of all that a compiled method is made of, and where it is: another text for another program.
std::string contents_of(const Manifest& manifest, const ProgramMethod& method);

}  // namespace kit
