#include "io/jsonl_writer.h"

#include <nlohmann/json.hpp>
#include <kit/error.h>

#include "io/columns.h"
#include "io/number.h"

namespace kit::io {

JsonlWriter::JsonlWriter(OutputFile& output, const Signature& signature, bool by_row)
    : output_(output), signature_(signature), by_row_(by_row) {
  for (const TensorSpec& spec : signature.outputs) {
    if (spec.dtype && is_complex(*spec.dtype))
      throw Error(ErrorCode::usage, "JSON has no complex numbers, as output '" + spec.name + "' " +
                                        signature.str(spec) + " wants; write .npy or .safetensors");
  }
}

void JsonlWriter::write(const std::vector<Tensor>& outputs) {
  if (keys_.empty()) {
    names_ = output_names(signature_, outputs.size());
    for (const std::string& name : names_)
      keys_.push_back(nlohmann::json(name).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
                      ":");
  }
  std::vector<const char*> at;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (is_complex(outputs[i].dtype()))
      throw Error(ErrorCode::input, "JSON has no complex numbers, as output '" + names_[i] + "' " +
                                        outputs[i].str() + " wants; write .npy or .safetensors");
    at.push_back(static_cast<const char*>(outputs[i].data()));
  }
  const std::int64_t lines = by_row_ ? common_rows(outputs, names_) : 1;
  for (std::int64_t line = 0; line < lines; ++line) {
    output_.write("{");
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (i > 0) output_.write(",");
      output_.write(keys_[i]);
      at[i] = write_value(outputs[i], by_row_ ? 1 : 0, at[i]);
    }
    output_.write("}\n");
  }
}

/// Writes the dimensions from `depth` on of the elements at `at`; returns where the next ones are.
const char* JsonlWriter::write_value(const Tensor& tensor, std::size_t depth, const char* at) {
  const Shape& shape = tensor.shape();
  if (depth == shape.size()) {
    char* const begin = output_.room(longest_number);
    output_.wrote(static_cast<std::size_t>(print_number(tensor.dtype(), at, Spelling::json, begin) - begin));
    return at + item_size(tensor.dtype());
  }
  output_.write("[");
  for (std::int64_t i = 0; i < shape[depth]; ++i) {
    if (i > 0) output_.write(",");
    at = write_value(tensor, depth + 1, at);
  }
  output_.write("]");
  return at;
}

}  // namespace kit::io
