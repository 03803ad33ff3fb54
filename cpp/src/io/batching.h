#pragma once

#include <cstdint>
#include <optional>

#include <kit/signature.h>

#include "io/format.h"

namespace kit::io {

/// How the rows of a file become calls of the model. A row is one step along the leading dimension.
struct Batching {
  enum class Kind {
    rows,   ///< any number of rows in `min`..`max` makes a call
    fixed,  ///< exactly `size` rows make a call
    whole,  ///< no rows: a line of JSON Lines is a call, and so is a whole file of another format
  };

  Kind kind = Kind::whole;
  std::int64_t size = 1;  ///< rows for one call
  std::int64_t min = 1;   ///< fewest rows that a call may have
  std::int64_t max = 1;   ///< most rows that a call may have
  bool cuts = true;       ///< whether more rows than `size`, or of several shapes, become several calls

  bool by_row() const noexcept { return kind != Kind::whole; }

  /// What the signature allows for inputs of `format`. `requested` is the wish of the user for `size`,
  /// which is otherwise 1024, or the largest that is allowed. `divisible`: whether the outputs of a call are
  /// those of its parts; if not, only the user may choose a size, and all rows are one call otherwise. Throws
  /// a usage error if the wish is not allowed.
  static Batching of(const Signature& signature, Format format, std::optional<std::int64_t> requested = {},
                     bool divisible = true);
};

}  // namespace kit::io
