#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "io/npy_header.h"
#include "io/spool.h"
#include "io/writer.h"

namespace kit::io {

/// Writes a .npy file, version 1.0, C order: the only output of a model. The header comes first but tells
/// the number of rows: it is corrected at the end where the file allows that; else the rows wait in a spool.
class NpyWriter final : public Writer {
 public:
  /// Throws a usage error if there are several outputs, or the dtype is none of .npy's.
  NpyWriter(OutputFile& output, const Signature& signature, bool by_row);

  void write(const std::vector<Tensor>& outputs) override;
  void close() override;

 private:
  void start(const Tensor& first);

  OutputFile& output_;
  const Signature& signature_;
  bool by_row_;
  std::optional<npy::Header> header_;  ///< known from the first call on; its shape has the rows so far
  std::size_t header_length_ = 0;      ///< bytes that were left for the header in the file
  Spool spool_;
};

}  // namespace kit::io
