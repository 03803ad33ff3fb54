#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <kit/signature.h>
#include <kit/tensor.h>

#include "io/batching.h"
#include "io/format.h"
#include "io/input_file.h"

namespace kit::io {

/// Reads the inputs of a model from a file.
class Reader {
 public:
  virtual ~Reader() = default;

  /// Where the inputs have rows: the next rows of every input in the signature's order, as row-major
  /// tensors of at most `rows` rows; fewer at the end of the file, or where the next row has another shape.
  /// Otherwise the inputs of the next call, whatever `rows` is. Nothing at the end. Throws an input error
  /// that names the file and the place.
  virtual std::optional<std::vector<Tensor>> next(std::int64_t rows) = 0;
};

/// A reader of `format`. `signature` must outlive it.
std::unique_ptr<Reader> open_reader(Format format, InputFile file, const Signature& signature,
                                    Batching::Kind kind);

/// Checks what a file says of one input against the signature: dtype, rank, and the fixed sizes but the
/// leading one of rows. Throws an input error that starts with `where`.
void check_entry(const Signature& signature, const TensorSpec& spec, DType dtype, const Shape& shape,
                 bool by_row, const std::string& where);

/// Bytes of a tensor that a file announces. Throws an input error that starts with `where` for more than
/// any memory holds.
std::uint64_t checked_bytes(DType dtype, const Shape& shape, const std::string& where);

}  // namespace kit::io
