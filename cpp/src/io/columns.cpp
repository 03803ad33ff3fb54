#include "io/columns.h"

#include <kit/error.h>

namespace kit::io {

std::int64_t row_elements(const Shape& shape, const std::string& what) {
  if (shape.empty())
    throw Error(ErrorCode::input, what + " is a scalar and has no rows; use .jsonl or .safetensors");
  std::int64_t elements = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) elements *= shape[i];
  return elements;
}

std::vector<std::string> column_names(const std::string& name, std::int64_t columns) {
  if (columns == 1) return {name};
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < columns; ++i) names.push_back(name + "." + std::to_string(i));
  return names;
}

std::string join(const std::vector<std::string>& names) {
  constexpr std::size_t head = 3;
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += ", ";
    if (i == head && names.size() > head + 3) {
      text += "…, ";
      i = names.size() - 1;
    }
    text += names[i];
  }
  return text;
}

std::vector<std::string> output_names(const Signature& signature, std::size_t count) {
  std::vector<std::string> names;
  for (const TensorSpec& spec : signature.outputs) names.push_back(spec.name);
  if (!names.empty()) return names;
  if (count == 1) return {"output"};
  for (std::size_t i = 0; i < count; ++i) names.push_back("output." + std::to_string(i));
  return names;
}

}  // namespace kit::io
