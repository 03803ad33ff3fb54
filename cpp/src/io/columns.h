#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <kit/signature.h>

namespace kit::io {

/// Elements in one row of a tensor of this shape: the product of all sizes but the first. Throws an input
/// error that names `what` for a scalar, which has no rows.
std::int64_t row_elements(const Shape& shape, const std::string& what);

/// The names of the columns that hold a tensor: its own name for one column, else name.0, name.1, ….
std::vector<std::string> column_names(const std::string& name, std::int64_t columns);

/// The names in one line, the middle left out where there are many: "x.0, x.1, x.2, …, x.63".
std::string join(const std::vector<std::string>& names);

/// The names of `count` outputs: the signature's; without one "output", or "output.0", "output.1", ….
std::vector<std::string> output_names(const Signature& signature, std::size_t count);

}  // namespace kit::io
