#include "io/csv_reader.h"

#include <algorithm>
#include <iterator>
#include <numeric>

#include <kit/error.h>

#include "io/columns.h"
#include "io/number.h"

namespace kit::io {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

bool is_blank(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return is_blank(c); });
}

bool is_number(const std::string& field, DType dtype) {
  char out[16];
  const char* last = field.data() + field.size();
  const Scan scan = scan_number(dtype, field.data(), last, out);
  return scan.status != ScanStatus::malformed && scan.next == last;
}

/// Whether a field is what is written where a value is missing: that is a row, and no header.
bool means_nothing(std::string_view field) {
  constexpr std::string_view words[] = {"", "#N/A", "N/A", "n/a", "NA", "NULL", "null", "None", "<NA>"};
  return std::find(std::begin(words), std::end(words), field) != std::end(words);
}

/// A field as a message shows it.
std::string quote(std::string text) {
  constexpr std::size_t longest = 40;
  if (text.size() > longest) text = text.substr(0, longest) + "…";
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ') c = '?';
  return "'" + text + "'";
}

}  // namespace

CsvReader::CsvReader(InputFile file, const Signature& signature, bool by_row)
    : signature_(signature), lines_(std::move(file)) {
  const std::string others =
      signature.inputs.size() == 1 ? "use .jsonl, .npy or .safetensors" : "use .jsonl or .safetensors";
  if (!by_row)
    throw Error(ErrorCode::input,
                lines_.name() +
                    ": the inputs of this model do not have rows in common, so CSV cannot hold them; " +
                    others);
  for (std::size_t i = 0; i < signature.inputs.size(); ++i) {
    const TensorSpec& spec = signature.inputs[i];
    if (!spec.shape) {
      if (signature.inputs.size() == 1) return;
      throw Error(ErrorCode::input,
                  lines_.name() + ": the archive has no manifest, so nobody knows which columns belong to " +
                      "which of its " + std::to_string(signature.inputs.size()) + " inputs; " + others);
    }
    std::int64_t columns = 1;
    for (std::size_t j = 1; j < spec.shape->size(); ++j) {
      if ((*spec.shape)[j].dim >= 0)
        throw Error(ErrorCode::input, lines_.name() + ": input '" + spec.name + "' " + signature.str(spec) +
                                          " has no fixed number of columns, so CSV cannot hold it; " +
                                          others);
      columns *= (*spec.shape)[j].size;
    }
    if (columns == 0 || (spec.dtype && is_complex(*spec.dtype)))
      throw Error(ErrorCode::input, lines_.name() + ": CSV cannot hold input '" + spec.name + "' " +
                                        signature.str(spec) + "; use .npy or .safetensors");
    add_input(i, columns);
  }
}

void CsvReader::add_input(std::size_t index, std::int64_t columns) {
  const TensorSpec& spec = signature_.inputs[index];
  const std::vector<std::string> names = column_names(spec.name, columns);
  names_.insert(names_.end(), names.begin(), names.end());
  for (std::int64_t i = 0; i < columns; ++i)
    columns_.push_back({index, i, spec.dtype.value_or(DType::float32)});
  Shape row;
  if (spec.shape) {
    for (std::size_t i = 1; i < spec.shape->size(); ++i) row.push_back((*spec.shape)[i].size);
  } else {
    row.push_back(columns);
  }
  shapes_.push_back(std::move(row));
}

void CsvReader::start() {
  started_ = true;
  std::string_view line;
  if (!next_row(line)) return;
  const std::vector<std::string> fields = split(line);
  if (columns_.empty()) add_input(0, static_cast<std::int64_t>(fields.size()));
  if (fields.size() != columns_.size()) wrong_count(fields);
  order_.resize(columns_.size());
  std::iota(order_.begin(), order_.end(), 0);
  if (!read_header(fields)) first_row_ = line;
}

/// Whether the first line is a header; if so, puts the columns in its order.
bool CsvReader::read_header(const std::vector<std::string>& fields) {
  std::vector<std::string> sorted_fields = fields;
  std::vector<std::string> sorted_names = names_;
  std::sort(sorted_fields.begin(), sorted_fields.end());
  std::sort(sorted_names.begin(), sorted_names.end());
  const bool unique = std::adjacent_find(sorted_names.begin(), sorted_names.end()) == sorted_names.end();
  if (unique && sorted_fields == sorted_names) {
    std::vector<Column> columns;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      order_[i] =
          static_cast<std::size_t>(std::find(names_.begin(), names_.end(), fields[i]) - names_.begin());
      columns.push_back(columns_[order_[i]]);
    }
    columns_ = std::move(columns);
    return true;
  }
  std::size_t numbers = 0;
  std::size_t text = fields.size();
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const bool number = is_number(fields[i], DType::float64) ||
                        (columns_[i].dtype == DType::boolean && is_number(fields[i], DType::boolean));
    if (number) {
      ++numbers;
    } else {
      text = std::min(text, i);
    }
  }
  if (numbers == fields.size()) return false;
  if (numbers > 0)
    throw Error(ErrorCode::input,
                where(text) + ": " + quote(fields[text]) +
                    " is no number, but other fields of the first line are, so it is neither a header "
                    "nor a row; correct it, or name the columns " +
                    join(names_));
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (means_nothing(fields[i]))
      throw Error(ErrorCode::input, where(i) + ": " + quote(fields[i]) +
                                        " is neither a number nor the name of a column; correct it, or name "
                                        "the columns " +
                                        join(names_));
    if (unique && fields[i] != names_[i] &&
        std::find(names_.begin(), names_.end(), fields[i]) != names_.end())
      throw Error(ErrorCode::input, where(i) + ": the header says " + quote(fields[i]) +
                                        ", which belongs elsewhere; name all columns, in any order (" +
                                        join(names_) + "), or none");
  }
  return true;
}

/// The next line that holds a row. Blank lines are left out at the end of the file, but not before.
bool CsvReader::next_row(std::string_view& line) {
  if (!lines_.next(line)) return false;
  if (!is_blank(line)) return true;
  const std::string blank = lines_.where();
  while (lines_.next(line))
    if (!is_blank(line))
      throw Error(ErrorCode::input, blank + ": the line is empty; remove it, or write its numbers");
  return false;
}

std::optional<std::vector<Tensor>> CsvReader::next(std::int64_t rows) {
  if (!started_) start();
  std::string_view line;
  std::string first;
  if (first_row_) {
    first = std::move(*first_row_);
    first_row_.reset();
    line = first;
  } else if (order_.empty() || !next_row(line)) {
    return std::nullopt;
  }

  std::vector<Tensor> tensors;
  for (std::size_t i = 0; i < shapes_.size(); ++i) {
    Shape shape = shapes_[i];
    shape.insert(shape.begin(), rows);
    const DType dtype = signature_.inputs[i].dtype.value_or(DType::float32);
    checked_bytes(dtype, shape, lines_.name());
    tensors.push_back(Tensor::empty(dtype, std::move(shape)));
  }
  std::vector<Target> targets;
  for (const Column& column : columns_) {
    const std::size_t item = item_size(column.dtype);
    const Tensor& tensor = tensors[column.input];
    targets.push_back({static_cast<char*>(tensor.data()) + static_cast<std::size_t>(column.offset) * item,
                       static_cast<std::size_t>(tensor.numel() / rows) * item, column.dtype});
  }

  std::int64_t done = 0;
  do {
    if (!parse_plain(line, targets)) parse_fields(line, targets);
    for (Target& target : targets) target.at += target.step;
    ++done;
  } while (done < rows && next_row(line));
  for (Tensor& tensor : tensors) tensor = tensor.slice(0, done);
  return tensors;
}

/// The fast way: numbers, commas and spaces. False for anything else.
bool CsvReader::parse_plain(std::string_view line, std::vector<Target>& targets) {
  const char* at = line.data();
  const char* last = at + line.size();
  const Target* final_target = &targets.back();
  for (const Target& target : targets) {
    while (at < last && is_blank(*at)) ++at;
    const Scan scan = scan_number(target.dtype, at, last, target.at);
    if (scan.status != ScanStatus::ok) return false;
    at = scan.next;
    while (at < last && is_blank(*at)) ++at;
    if (&target == final_target) return at == last;
    if (at == last || *at != ',') return false;
    ++at;
  }
  return false;
}

/// The thorough way, which takes quotes and tells what is wrong.
void CsvReader::parse_fields(std::string_view line, const std::vector<Target>& targets) const {
  const std::vector<std::string> fields = split(line);
  if (fields.size() != targets.size()) wrong_count(fields);
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::string& field = fields[i];
    const DType dtype = targets[i].dtype;
    const char* last = field.data() + field.size();
    const Scan scan = scan_number(dtype, field.data(), last, targets[i].at);
    const bool complete = scan.next == last;
    if (scan.status == ScanStatus::ok && complete) continue;
    std::string message = where(i) + ": ";
    if (field.empty()) {
      message += "the field is empty; write a number";
      if (is_floating(dtype)) message += ", or nan where there is none";
    } else if (scan.status == ScanStatus::out_of_range && complete) {
      message += quote(field) + " is out of the range of " + std::string(name(dtype));
    } else {
      message += quote(field) + " is no " + std::string(is_floating(dtype) ? "number" : name(dtype));
    }
    throw Error(ErrorCode::input, message);
  }
}

std::vector<std::string> CsvReader::split(std::string_view line) const {
  std::vector<std::string> fields;
  std::size_t at = 0;
  for (;;) {
    while (at < line.size() && is_blank(line[at])) ++at;
    std::string field;
    if (at < line.size() && line[at] == '"') {
      for (++at;; ++at) {
        if (at == line.size())
          throw Error(ErrorCode::input,
                      lines_.where() + ": a quote is not closed; close it on the same line");
        if (line[at] == '"') {
          if (at + 1 == line.size() || line[at + 1] != '"') break;
          ++at;
        }
        field += line[at];
      }
      ++at;
      while (at < line.size() && is_blank(line[at])) ++at;
      if (at < line.size() && line[at] != ',')
        throw Error(ErrorCode::input, lines_.where() + ": text follows a closing quote in field " +
                                          std::to_string(fields.size() + 1) + "; a comma must follow");
    } else {
      const std::size_t end = std::min(line.find(',', at), line.size());
      std::size_t stop = end;
      while (stop > at && is_blank(line[stop - 1])) --stop;
      field = line.substr(at, stop - at);
      at = end;
    }
    fields.push_back(std::move(field));
    if (at == line.size()) return fields;
    ++at;
  }
}

void CsvReader::wrong_count(const std::vector<std::string>& fields) const {
  const auto count = [](std::size_t n) { return std::to_string(n) + (n == 1 ? " column" : " columns"); };
  std::string message = lines_.where() + ": " + count(fields.size()) + " came, but " + count(names_.size()) +
                        (names_.size() == 1 ? " is wanted: " : " are wanted: ") + join(names_);
  if (fields.size() == 1 && fields[0].find_first_of(";\t") != std::string::npos)
    message += "; separate the fields with commas";
  throw Error(ErrorCode::input, message);
}

std::string CsvReader::where(std::size_t column) const {
  return lines_.where() + ", column " + std::to_string(column + 1) + " (" + names_[order_[column]] + ")";
}

}  // namespace kit::io
