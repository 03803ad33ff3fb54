#include "io/safetensors_writer.h"

#include <algorithm>
#include <numeric>
#include <string>

#include <kit/error.h>

#include "core/safetensors.h"
#include "io/columns.h"

namespace kit::io {

SafetensorsWriter::SafetensorsWriter(OutputFile& output, const Signature& signature, bool by_row)
    : output_(output), signature_(signature), by_row_(by_row) {}

void SafetensorsWriter::write(const std::vector<Tensor>& outputs) {
  if (started_ && !by_row_) refuse_second_call(output_.name());
  const std::vector<std::string> names = output_names(signature_, outputs.size());
  if (by_row_) common_rows(outputs, names);
  if (!started_) {
    started_ = true;
    for (const Tensor& tensor : outputs) {
      parts_.push_back({tensor.dtype(), tensor.shape(), Spool(output_.directory())});
      if (by_row_) parts_.back().shape.front() = 0;
    }
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& tensor = outputs[i];
    Part& part = parts_[i];
    if (by_row_) add_rows(part.dtype, part.shape, tensor, output_.name() + ": output '" + names[i] + "'");
    part.spool.write(tensor.data(), tensor.nbytes());
  }
}

void SafetensorsWriter::close() {
  if (!started_) write(empty_outputs(signature_, by_row_, output_.name()));
  const std::vector<std::string> names = output_names(signature_, parts_.size());
  // Larger elements first, as the format's own library does: so every tensor is aligned.
  std::vector<std::size_t> order(parts_.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return item_size(parts_[a].dtype) > item_size(parts_[b].dtype);
  });
  std::vector<safetensors::Entry> entries;
  std::uint64_t offset = 0;
  for (const std::size_t i : order) {
    const std::uint64_t end = offset + parts_[i].spool.size();
    entries.push_back({names[i], parts_[i].dtype, parts_[i].shape, offset, end});
    offset = end;
  }
  output_.write(safetensors::serialize_header(entries));
  for (const std::size_t i : order) parts_[i].spool.copy_to(output_);
}

}  // namespace kit::io
