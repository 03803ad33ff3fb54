#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <kit/signature.h>
#include <kit/tensor.h>

#include "io/format.h"
#include "io/output_file.h"

namespace kit::io {

/// Writes the outputs of a model to a file.
class Writer {
 public:
  virtual ~Writer() = default;

  /// Writes the outputs of one call, in the signature's order. Throws an input error for what the format
  /// cannot hold, an unavailable error if the disk is full.
  virtual void write(const std::vector<Tensor>& outputs) = 0;

  /// Writes what comes after the last call, and, where there was none, an empty result. `OutputFile::commit`
  /// is left to the owner of the file.
  virtual void close() = 0;
};

/// A writer of `format`. With `by_row`, the outputs of all calls become one result, one behind the other
/// along the first dimension. Throws a usage or input error if the format cannot hold such outputs, as far as
/// the signature tells. `output` and `signature` must outlive the writer.
std::unique_ptr<Writer> open_writer(Format format, OutputFile& output, const Signature& signature,
                                    bool by_row);

/// The rows that all outputs have in common. Throws an input error if one is a scalar or has other rows.
std::int64_t common_rows(const std::vector<Tensor>& outputs, const std::vector<std::string>& names);

/// Adds the rows of a tensor to a shape of what was written before. Throws an input error that names `what`
/// if they are of another dtype or shape.
void add_rows(DType dtype, Shape& shape, const Tensor& rows, const std::string& what);

/// The outputs of no calls: dtypes and shapes of the signature, with 0 rows. Throws an input error if the
/// signature does not tell them, or there are no rows.
std::vector<Tensor> empty_outputs(const Signature& signature, bool by_row, const std::string& where);

/// The error of a format that holds one call, at the second.
[[noreturn]] void refuse_second_call(const std::string& where);

}  // namespace kit::io
