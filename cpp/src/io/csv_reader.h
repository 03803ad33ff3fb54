#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/lines.h"
#include "io/reader.h"

namespace kit::io {

/// Reads CSV: one row of every input in each line, the elements of a row side by side.
///
/// The first line is a header if its fields are the names of the columns, in any order, or if none of its
/// fields is a number. Columns go by name where the header has exactly the expected names, else by position.
class CsvReader final : public Reader {
 public:
  /// Throws an input error if the inputs have no rows, or a number of columns that is not fixed.
  CsvReader(InputFile file, const Signature& signature, bool by_row);

  std::optional<std::vector<Tensor>> next(std::int64_t rows) override;

 private:
  /// Where the numbers of a column go.
  struct Column {
    std::size_t input;    ///< index of the input
    std::int64_t offset;  ///< index of the element within a row of the input
    DType dtype;
  };

  /// A column while a batch is filled: where its next number goes.
  struct Target {
    char* at;
    std::size_t step;  ///< bytes from a row to the next
    DType dtype;
  };

  void start();
  void add_input(std::size_t index, std::int64_t columns);
  bool read_header(const std::vector<std::string>& fields);
  bool next_row(std::string_view& line);
  static bool parse_plain(std::string_view line, std::vector<Target>& targets);
  void parse_fields(std::string_view line, const std::vector<Target>& targets) const;
  std::vector<std::string> split(std::string_view line) const;
  [[noreturn]] void wrong_count(const std::vector<std::string>& fields) const;
  std::string where(std::size_t column) const;

  const Signature& signature_;
  Lines lines_;
  bool started_ = false;
  std::optional<std::string> first_row_;  ///< the first line, while it is a row that waits to be parsed
  std::vector<std::string> names_;        ///< expected names of the columns, in the signature's order
  std::vector<Column> columns_;           ///< in the order of the file
  std::vector<std::size_t> order_;        ///< for each column of the file, its index in `names_`
  std::vector<Shape> shapes_;             ///< of one row of each input
};

}  // namespace kit::io
