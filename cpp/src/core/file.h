#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <kit/error.h>

namespace kit {

/// The bytes of a regular file. Throws an error of `code` that names the path and says why, if there is no
/// such file, it is a directory or another special file, or it cannot be read.
std::vector<std::byte> read_file(const std::string& path, ErrorCode code);

}  // namespace kit
