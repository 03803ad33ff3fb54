#pragma once

#include <string>
#include <vector>

#include "io/writer.h"

namespace kit::io {

/// Writes JSON Lines: an object with all outputs by name for each row, or, without rows, for each call. NaN
/// and infinities are the strings "NaN", "Infinity" and "-Infinity".
class JsonlWriter final : public Writer {
 public:
  JsonlWriter(OutputFile& output, const Signature& signature, bool by_row);

  void write(const std::vector<Tensor>& outputs) override;
  void close() override {}

 private:
  const char* write_value(const Tensor& tensor, std::size_t depth, const char* at);

  OutputFile& output_;
  const Signature& signature_;
  bool by_row_;
  std::vector<std::string> names_;
  std::vector<std::string> keys_;  ///< "logits": with quotes, escapes and colon
};

}  // namespace kit::io
