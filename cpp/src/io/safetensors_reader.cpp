#include "io/safetensors_reader.h"

#include <algorithm>
#include <array>
#include <string>

#include <kit/error.h>

#include "io/columns.h"

namespace kit::io {

SafetensorsReader::SafetensorsReader(InputFile file, const Signature& signature, bool by_row)
    : file_(std::move(file)), by_row_(by_row) {
  file_.make_seekable();
  const std::uint64_t size = file_.remaining().value_or(0);
  std::array<std::byte, safetensors::length_bytes> first{};
  const std::size_t available = std::min<std::uint64_t>(size, first.size());
  file_.read_at(0, first.data(), available);
  const std::uint64_t length =
      safetensors::header_length({first.data(), available}, size, ErrorCode::input, file_.name());
  std::string json(length, '\0');
  file_.read_at(safetensors::length_bytes, json.data(), json.size());
  data_ = safetensors::length_bytes + length;
  match(safetensors::parse_header(json, size - data_, ErrorCode::input, file_.name()), signature);
  for (std::size_t i = 0; i < entries_.size(); ++i)
    check_entry(signature, signature.inputs[i], entries_[i].dtype, entries_[i].shape, by_row_, file_.name());
  if (by_row_) check_rows();
}

/// Puts the entries into the signature's order.
void SafetensorsReader::match(const std::vector<safetensors::Entry>& entries, const Signature& signature) {
  std::vector<std::string> missing;
  std::vector<std::string> unknown;
  for (const TensorSpec& spec : signature.inputs) {
    const auto found = std::find_if(entries.begin(), entries.end(),
                                    [&](const auto& entry) { return entry.name == spec.name; });
    if (found == entries.end()) {
      missing.push_back(spec.name);
    } else {
      entries_.push_back(*found);
    }
  }
  for (const safetensors::Entry& entry : entries) {
    const auto same = [&](const TensorSpec& spec) { return spec.name == entry.name; };
    if (std::none_of(signature.inputs.begin(), signature.inputs.end(), same)) unknown.push_back(entry.name);
  }
  if (missing.empty() && unknown.empty()) return;
  std::string message = file_.name() + ": ";
  if (!missing.empty()) message += "missing: " + join(missing);
  if (!unknown.empty())
    message += std::string(missing.empty() ? "" : "; ") + "no input of the model: " + join(unknown);
  throw Error(ErrorCode::input, message + "; name the tensors as the inputs");
}

void SafetensorsReader::check_rows() const {
  const safetensors::Entry& first = entries_.front();
  for (const safetensors::Entry& entry : entries_) {
    if (entry.shape.front() != first.shape.front())
      throw Error(ErrorCode::input, file_.name() + ": input '" + entry.name + "' has " +
                                        std::to_string(entry.shape.front()) + " rows, but input '" +
                                        first.name + "' has " + std::to_string(first.shape.front()) +
                                        "; all must have the same number");
  }
}

std::optional<std::vector<Tensor>> SafetensorsReader::next(std::int64_t rows) {
  const std::int64_t end = by_row_ ? entries_.front().shape.front() : 1;
  if (done_ == end) return std::nullopt;
  const std::int64_t count = by_row_ ? std::min(rows, end - done_) : 1;
  std::vector<Tensor> tensors;
  for (const safetensors::Entry& entry : entries_) {
    Shape shape = entry.shape;
    std::uint64_t offset = data_ + entry.begin;
    if (by_row_) {
      const std::uint64_t row_bytes = (entry.end - entry.begin) / static_cast<std::uint64_t>(end);
      offset += row_bytes * static_cast<std::uint64_t>(done_);
      shape.front() = count;
    }
    Tensor tensor = Tensor::empty(entry.dtype, std::move(shape));
    file_.read_at(offset, tensor.data(), tensor.nbytes());
    tensors.push_back(std::move(tensor));
  }
  done_ += count;
  return tensors;
}

}  // namespace kit::io
