#pragma once

#include <string>

namespace kit {

/// The name of the member that holds the golden cases of a method.
std::string cases_member(const std::string& method);

}  // namespace kit
