#include "io/jsonl_reader.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

#include <nlohmann/json.hpp>
#include <kit/error.h>

#include "io/columns.h"
#include "io/number.h"

namespace kit::io {

namespace {

using nlohmann::json;

constexpr std::size_t most_dimensions = 64;  // libtorch iterates over no more

std::string shorten(std::string text) {
  constexpr std::size_t longest = 40;
  if (text.size() > longest) text = text.substr(0, longest) + "…";
  return text;
}

/// A value as a message names it. What is nested has no bound, and writing it out would take the stack.
std::string shown(const json& node) {
  if (node.is_array()) return "a list of " + std::to_string(node.size());
  if (node.is_object()) return "an object";
  return shorten(node.dump(-1, ' ', false, json::error_handler_t::replace));
}

/// One input of one line: nested lists become a tensor.
class Value {
 public:
  Value(const Signature& signature, const TensorSpec& spec, bool by_row, const std::string& where)
      : signature_(signature),
        spec_(spec),
        by_row_(by_row),
        where_(where + ", input '" + spec.name + "'"),
        dtype_(spec.dtype.value_or(DType::float32)) {
    if (is_complex(dtype_))
      throw Error(ErrorCode::input, where_ + ": JSON has no complex numbers; use .npy or .safetensors");
  }

  Tensor read(const json& node) {
    shape_ = shape_of(node);
    checked_bytes(dtype_, shape_, where_);
    Tensor tensor = Tensor::empty(dtype_, shape_);
    at_ = static_cast<char*>(tensor.data());
    fill(node, 0);
    return tensor;
  }

 private:
  /// The shape, told by the first element of each list.
  Shape shape_of(const json& node) const {
    Shape shape;
    const json* inner = &node;
    while (inner->is_array()) {
      if (shape.size() == most_dimensions)
        throw Error(ErrorCode::input, where_ + ": lists nest deeper than the " +
                                          std::to_string(most_dimensions) + " dimensions a tensor may have");
      shape.push_back(static_cast<std::int64_t>(inner->size()));
      if (inner->empty()) break;
      inner = &inner->front();
    }
    if (!spec_.shape) return shape;
    const std::size_t skip = by_row_ ? 1 : 0;
    const std::size_t rank = spec_.shape->size() - skip;
    // An empty list tells no sizes inside of it: they are the signature's.
    while (!shape.empty() && shape.back() == 0 && shape.size() < rank)
      shape.push_back(std::max<std::int64_t>((*spec_.shape)[shape.size() + skip].size, 0));
    bool fits = shape.size() == rank;
    for (std::size_t i = 0; fits && i < rank; ++i) {
      const DimSpec& size = (*spec_.shape)[i + skip];
      fits = size.dim >= 0 || size.size == shape[i];
    }
    if (!fits)
      throw Error(ErrorCode::input, where_ + ": " + signature_.str(spec_) + " is wanted" +
                                        (by_row_ ? ", each line without its first dimension," : "") +
                                        " but lists of shape " + str(shape) + " came");
    return shape;
  }

  void fill(const json& node, std::size_t depth) {
    if (depth == shape_.size()) {
      element(node);
      return;
    }
    if (!node.is_array() || static_cast<std::int64_t>(node.size()) != shape_[depth])
      throw Error(ErrorCode::input, where_ + place() + ": a list of " + std::to_string(shape_[depth]) +
                                        " is wanted, but " + shown(node) +
                                        " came; lists at the same depth have the same length");
    index_.push_back(0);
    for (const json& inner : node) {
      fill(inner, depth + 1);
      ++index_.back();
    }
    index_.pop_back();
  }

  void element(const json& node) {
    const bool stored = is_floating(dtype_) ? floating(node) : integer(node);
    if (!stored) refuse(node);
    at_ += item_size(dtype_);
  }

  bool floating(const json& node) {
    if (node.is_number()) return store_floating(dtype_, node.get<double>(), at_);
    if (!node.is_string()) return false;
    const std::string& text = node.get_ref<const std::string&>();
    double value = std::numeric_limits<double>::infinity();
    if (text == "NaN") {
      value = std::numeric_limits<double>::quiet_NaN();
    } else if (text == "-Infinity") {
      value = -value;
    } else if (text != "Infinity") {
      return false;
    }
    return store_floating(dtype_, value, at_);
  }

  /// Integers and bool are few: going over their text costs little and checks the range.
  bool integer(const json& node) {
    if (dtype_ == DType::boolean ? !node.is_boolean() && !node.is_number_integer()
                                 : !node.is_number_integer())
      return false;
    const std::string text = node.dump();
    const char* last = text.data() + text.size();
    const Scan scan = scan_number(dtype_, text.data(), last, at_);
    return scan.status == ScanStatus::ok && scan.next == last;
  }

  [[noreturn]] void refuse(const json& node) const {
    std::string remedy;
    if (is_floating(dtype_) && !node.is_number())
      remedy = "; write a number, \"NaN\", \"Infinity\" or \"-Infinity\"";
    throw Error(ErrorCode::input,
                where_ + place() + ": " + shown(node) + " is no " + std::string(name(dtype_)) + remedy);
  }

  std::string place() const {
    std::string text;
    for (const std::size_t i : index_) text += "[" + std::to_string(i) + "]";
    return text.empty() ? "" : " at " + text;
  }

  const Signature& signature_;
  const TensorSpec& spec_;
  bool by_row_;
  std::string where_;
  DType dtype_;
  Shape shape_;
  std::vector<std::size_t> index_;
  char* at_ = nullptr;
};

/// The value of each input in a parsed line, in the signature's order.
std::vector<const json*> values_of(const json& document, const Signature& signature,
                                   const std::string& where) {
  if (!document.is_object()) {
    if (signature.inputs.size() == 1) return {&document};
    std::vector<std::string> names;
    for (const TensorSpec& spec : signature.inputs) names.push_back(spec.name);
    throw Error(ErrorCode::input, where + ": an object with the inputs " + join(names) + " is wanted, but " +
                                      shown(document) + " came");
  }
  std::vector<const json*> values;
  std::vector<std::string> missing;
  std::vector<std::string> unknown;
  for (const TensorSpec& spec : signature.inputs) {
    const auto found = document.find(spec.name);
    if (found == document.end()) {
      missing.push_back(spec.name);
    } else {
      values.push_back(&*found);
    }
  }
  for (const auto& [key, value] : document.items()) {
    const auto same = [&key = key](const TensorSpec& spec) { return spec.name == key; };
    if (std::none_of(signature.inputs.begin(), signature.inputs.end(), same)) unknown.push_back(key);
  }
  if (missing.empty() && unknown.empty()) return values;
  std::string message = where + ": ";
  if (!missing.empty()) message += "missing: " + join(missing);
  if (!unknown.empty())
    message += std::string(missing.empty() ? "" : "; ") + "no input of the model: " + join(unknown);
  throw Error(ErrorCode::input, message);
}

}  // namespace

JsonlReader::JsonlReader(InputFile file, const Signature& signature, bool by_row)
    : signature_(signature), lines_(std::move(file)), by_row_(by_row) {}

/// Reads the next line that is not blank into `line_`, unless one waits there. False at the end.
bool JsonlReader::read_line() {
  if (line_) return true;
  std::string_view text;
  do {
    if (!lines_.next(text)) return false;
  } while (text.find_first_not_of(" \t") == std::string_view::npos);

  json document;
  try {
    document = json::parse(text);
  } catch (const json::out_of_range&) {
    throw Error(ErrorCode::input, lines_.where() + ": " + shorten(std::string(text)) +
                                      " has a number that no float64 can hold; write infinities with quotes: "
                                      "\"Infinity\", \"-Infinity\"");
  } catch (const json::exception&) {
    // The library's words speak of its own parser; the place is what helps.
    std::string message = lines_.where() + ": " + shorten(std::string(text)) + " is no JSON";
    if (text.find("NaN") != std::string_view::npos || text.find("Infinity") != std::string_view::npos)
      message += "; write NaN and infinities with quotes: \"NaN\", \"Infinity\", \"-Infinity\"";
    throw Error(ErrorCode::input, message);
  }
  std::vector<Tensor> tensors;
  const std::vector<const json*> values = values_of(document, signature_, lines_.where());
  for (std::size_t i = 0; i < values.size(); ++i)
    tensors.push_back(Value(signature_, signature_.inputs[i], by_row_, lines_.where()).read(*values[i]));
  line_ = std::move(tensors);
  return true;
}

std::optional<std::vector<Tensor>> JsonlReader::next(std::int64_t rows) {
  if (!read_line()) return std::nullopt;
  if (!by_row_) return std::exchange(line_, std::nullopt);

  std::vector<Shape> row_shapes;
  std::vector<std::vector<char>> bytes(line_->size());
  for (const Tensor& tensor : *line_) row_shapes.push_back(tensor.shape());
  const auto same_shapes = [&] {
    return std::equal(row_shapes.begin(), row_shapes.end(), line_->begin(),
                      [](const Shape& shape, const Tensor& tensor) { return shape == tensor.shape(); });
  };
  std::int64_t done = 0;
  while (done < rows && read_line() && same_shapes()) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const char* data = static_cast<const char*>((*line_)[i].data());
      bytes[i].insert(bytes[i].end(), data, data + (*line_)[i].nbytes());
    }
    line_.reset();
    ++done;
  }
  std::vector<Tensor> tensors;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    Shape shape = row_shapes[i];
    shape.insert(shape.begin(), done);
    Tensor tensor = Tensor::empty(signature_.inputs[i].dtype.value_or(DType::float32), std::move(shape));
    if (!bytes[i].empty()) std::memcpy(tensor.data(), bytes[i].data(), bytes[i].size());
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

}  // namespace kit::io
