#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/safetensors.h"
#include "io/reader.h"

namespace kit::io {

/// Reads a .safetensors file: every input by its name. Rows are read where they are wanted; a pipe is
/// copied to a temporary file first.
class SafetensorsReader final : public Reader {
 public:
  /// Reads the header. Throws an input error if a name is missing or unknown, or an entry does not fit.
  SafetensorsReader(InputFile file, const Signature& signature, bool by_row);

  std::optional<std::vector<Tensor>> next(std::int64_t rows) override;

 private:
  void match(const std::vector<safetensors::Entry>& entries, const Signature& signature);
  void check_rows() const;

  InputFile file_;
  bool by_row_;
  std::uint64_t data_ = 0;                   ///< where the tensors start in the file
  std::vector<safetensors::Entry> entries_;  ///< of each input, in the signature's order
  std::int64_t done_ = 0;                    ///< rows, or calls, that were given
};

}  // namespace kit::io
