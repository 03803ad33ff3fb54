#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/writer.h"

namespace kit::io {

/// Writes CSV: a header, then a line for each row with all outputs side by side. Bool is 0 or 1, NaN is nan,
/// infinities are inf and -inf; floating numbers have the digits that bring them back exactly.
class CsvWriter final : public Writer {
 public:
  CsvWriter(OutputFile& output, const Signature& signature, bool by_row);

  void write(const std::vector<Tensor>& outputs) override;
  void close() override;

 private:
  void write_header(const std::vector<Tensor>& outputs);

  OutputFile& output_;
  const Signature& signature_;
  bool by_row_;
  bool started_ = false;
  std::vector<std::string> names_;
  std::vector<std::int64_t> columns_;  ///< of each output
};

}  // namespace kit::io
