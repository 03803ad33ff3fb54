#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "io/npy_header.h"
#include "io/reader.h"

namespace kit::io {

/// Reads a .npy file: the only input of a model. C order streams; an array in Fortran order, whose rows lie
/// scattered over the file, is held in memory.
class NpyReader final : public Reader {
 public:
  /// Reads the header. Throws an input error if the model has several inputs, or the array does not fit.
  NpyReader(InputFile file, const Signature& signature, bool by_row);

  std::optional<std::vector<Tensor>> next(std::int64_t rows) override;

 private:
  void read_header();
  Tensor read(Shape shape);

  InputFile file_;
  bool by_row_;
  npy::Header header_;
  std::int64_t done_ = 0;  ///< rows, or calls, that were given
  Tensor whole_;           ///< the array, where it is in Fortran order
};

}  // namespace kit::io
