#pragma once

#include <string>

#include <kit/manifest.h>

namespace kit::bench {

/// The SHA-256 of all that a method of the program consists of: 64 hexadecimal digits. Two archives in which
/// it is the same have the same program, weights included.
std::string program_digest(const Manifest& manifest, const ProgramInfo& program, const std::string& method);

}  // namespace kit::bench
