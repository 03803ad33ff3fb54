#include "io/csv_writer.h"

#include <kit/error.h>

#include "io/columns.h"
#include "io/number.h"

namespace kit::io {

namespace {

constexpr const char* other_formats = "; write .jsonl, .npy or .safetensors";

/// A name as a field: quoted where a comma, a quote or a line end would break the row.
std::string field(const std::string& name) {
  if (name.find_first_of(",\"\r\n") == std::string::npos) return name;
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace

CsvWriter::CsvWriter(OutputFile& output, const Signature& signature, bool by_row)
    : output_(output), signature_(signature), by_row_(by_row) {
  for (const TensorSpec& spec : signature.outputs) {
    const std::string what = "CSV cannot hold output '" + spec.name + "' " + signature.str(spec);
    if (spec.dtype && is_complex(*spec.dtype))
      throw Error(ErrorCode::usage, what + ": a field is one real number; write .npy or .safetensors");
    if (!spec.shape) continue;
    const bool has_rows = !spec.shape->empty();
    // Without rows in the inputs, the leading sizes of the outputs still have to agree.
    const auto& lead = signature.outputs.front().shape;
    const bool agrees = has_rows && lead && !lead->empty() && lead->front().dim == spec.shape->front().dim &&
                        (lead->front().dim >= 0 || lead->front().size == spec.shape->front().size);
    if (!has_rows || !agrees)
      throw Error(ErrorCode::usage, what + ", which has no rows in common; write .safetensors or .jsonl");
  }
}

void CsvWriter::write_header(const std::vector<Tensor>& outputs) {
  started_ = true;
  std::string header;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (is_complex(outputs[i].dtype()))
      throw Error(ErrorCode::input,
                  "CSV cannot hold output '" + names_[i] + "' " + outputs[i].str() + other_formats);
    columns_.push_back(row_elements(outputs[i].shape(), "output '" + names_[i] + "'"));
    for (const std::string& name : column_names(names_[i], columns_.back()))
      header += (header.empty() ? "" : ",") + field(name);
  }
  output_.write(header + "\n");
}

void CsvWriter::write(const std::vector<Tensor>& outputs) {
  if (started_ && !by_row_) refuse_second_call(output_.name());
  if (names_.empty()) names_ = output_names(signature_, outputs.size());
  const std::int64_t rows = common_rows(outputs, names_);
  if (!started_) write_header(outputs);
  std::vector<const char*> at;
  std::size_t longest = 1;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (row_elements(outputs[i].shape(), "output '" + names_[i] + "'") != columns_[i])
      throw Error(ErrorCode::input, "output '" + names_[i] + "' had " + std::to_string(columns_[i]) +
                                        " columns before and is now " + outputs[i].str() +
                                        ", so CSV cannot hold it; write .jsonl");
    at.push_back(static_cast<const char*>(outputs[i].data()));
    longest += static_cast<std::size_t>(columns_[i]) * (longest_number + 1);
  }
  for (std::int64_t row = 0; row < rows; ++row) {
    char* const begin = output_.room(longest);
    char* to = begin;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const DType dtype = outputs[i].dtype();
      const std::size_t item = item_size(dtype);
      for (std::int64_t column = 0; column < columns_[i]; ++column) {
        to = print_number(dtype, at[i], Spelling::csv, to);
        *to++ = ',';
        at[i] += item;
      }
    }
    if (to == begin) ++to;
    to[-1] = '\n';
    output_.wrote(static_cast<std::size_t>(to - begin));
  }
}

void CsvWriter::close() {
  if (started_) return;
  const std::vector<Tensor> none = empty_outputs(signature_, by_row_, output_.name());
  names_ = output_names(signature_, none.size());
  write_header(none);
}

}  // namespace kit::io
