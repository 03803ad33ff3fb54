#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <kit/signature.h>
#include <kit/tensor.h>

#include "io/batching.h"
#include "io/reader.h"

namespace kit::io {

/// Cuts what a reader gives into the calls of a model.
///
/// All batches but the last have `batching.size` rows. A last one of fewer than `batching.min` takes rows
/// from the batch before it. A file without rows gives one empty call where the model takes 0 rows, else
/// none.
class Batches {
 public:
  /// `where` names the file in messages. `reader` and `signature` must outlive this.
  Batches(Reader& reader, const Signature& signature, const Batching& batching, std::string where);

  /// The inputs of the next call, or nothing after the last. Throws an input error if the rows of the file
  /// cannot be cut into batches that the model takes.
  std::optional<std::vector<Tensor>> next();

  /// Rows that were given so far; calls where there are no rows.
  std::int64_t rows() const noexcept { return rows_; }

 private:
  using Inputs = std::vector<Tensor>;

  std::optional<Inputs> next_fixed();
  std::optional<Inputs> next_rows();
  std::optional<Inputs> no_rows() const;
  void even_out(Inputs& current);

  Reader& reader_;
  const Signature& signature_;
  Batching batching_;
  std::string where_;
  bool started_ = false;
  std::optional<Inputs> ahead_;  ///< the batch after the one that was given last
  std::int64_t rows_ = 0;
};

/// Puts row-major tensors that differ in the first size at most one behind the other.
Tensor concatenate(const Tensor& first, const Tensor& second);

}  // namespace kit::io
