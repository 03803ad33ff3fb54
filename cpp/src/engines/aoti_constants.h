#pragma once

#include <string>
#include <unordered_map>

#include <ATen/core/Tensor.h>

#include "engines/byte_reader.h"

namespace kit {

/// The record of a package that has the weights, if its shared object has not, as python/kit/programs/aoti.py
/// names it.
constexpr auto weights_record = "data/aotinductor/model/model.wrapper_weights.blob";

/// The constants of such a package, by their names in its code. They are in the memory of the package, which
/// must outlive them, but for those that do not start at a multiple of 64 bytes there, or are in several
/// pieces: those are copied.
///
/// package: its bytes. table: what its metadata says of them, see python/kit/programs/constant_table.py.
/// dtypes: those of the constants. Throws a std::exception if they do not fit together.
std::unordered_map<std::string, at::Tensor> constants_of(const ByteReader::Pieces& package,
                                                         const std::string& table,
                                                         const std::unordered_map<std::string, int>& dtypes);

}  // namespace kit
