#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/input_file.h"

namespace kit::io {

/// The lines of a text file, in memory that does not grow with the file.
class Lines {
 public:
  explicit Lines(InputFile file);

  /// The next line without its LF or CRLF, valid until the next call; false at the end. A byte order mark
  /// at the start of the file is left out. Throws an input error for a line of more than 256 MiB.
  bool next(std::string_view& line);

  /// The number of the line that `next` gave last, counted from 1.
  std::int64_t number() const noexcept { return number_; }

  /// What messages call the file.
  const std::string& name() const noexcept { return file_.name(); }

  /// What messages call the line: "points.csv, line 3".
  std::string where() const { return name() + ", line " + std::to_string(number_); }

 private:
  InputFile file_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;  ///< first byte that was not given yet
  std::size_t end_ = 0;    ///< one past the last byte that was read
  bool at_end_ = false;
  std::int64_t number_ = 0;
};

}  // namespace kit::io
