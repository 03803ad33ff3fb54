#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "io/lines.h"
#include "io/reader.h"

namespace kit::io {

/// Reads JSON Lines. Each line is an object {"x": …} with nested lists for every input, or, for a single
/// input, the bare value. Where the inputs have rows, a line is one row, without the leading dimension;
/// otherwise it is a whole call. NaN and infinities are the strings "NaN", "Infinity" and "-Infinity", as in
/// the JSON mapping of protocol buffers. Blank lines are left out.
class JsonlReader final : public Reader {
 public:
  JsonlReader(InputFile file, const Signature& signature, bool by_row);

  std::optional<std::vector<Tensor>> next(std::int64_t rows) override;

 private:
  bool read_line();

  const Signature& signature_;
  Lines lines_;
  bool by_row_;
  std::optional<std::vector<Tensor>> line_;  ///< the inputs of a line that was read but not given yet
};

}  // namespace kit::io
