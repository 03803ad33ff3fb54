#include "io/npy_writer.h"

#include <limits>
#include <vector>

#include <kit/error.h>

#include "io/columns.h"

namespace kit::io {

namespace {

void check_count(std::size_t count) {
  if (count > 1)
    throw Error(ErrorCode::usage, "an .npy file holds one array, but the model has " + std::to_string(count) +
                                      " outputs; write .safetensors");
}

}  // namespace

NpyWriter::NpyWriter(OutputFile& output, const Signature& signature, bool by_row)
    : output_(output), signature_(signature), by_row_(by_row), spool_(output.directory()) {
  check_count(signature.outputs.size());
  // Serializing tells now, not after the prediction, that there is no such dtype.
  if (!signature.outputs.empty() && signature.outputs.front().dtype)
    npy::serialize({*signature.outputs.front().dtype, false, {}});
}

void NpyWriter::start(const Tensor& first) {
  header_ = npy::Header{first.dtype(), false, first.shape()};
  npy::Header largest = *header_;
  if (by_row_) {
    header_->shape.front() = 0;
    largest.shape.front() = std::numeric_limits<std::int64_t>::max();
  }
  const std::string placeholder = npy::serialize(largest);
  header_length_ = placeholder.size();
  if (output_.seekable()) output_.write(placeholder);
}

void NpyWriter::write(const std::vector<Tensor>& outputs) {
  check_count(outputs.size());
  if (outputs.empty())
    throw Error(ErrorCode::usage, "the model has no outputs, but an .npy file holds one; write .safetensors");
  if (header_ && !by_row_) refuse_second_call(output_.name());
  const Tensor& tensor = outputs.front();
  if (by_row_) common_rows(outputs, output_names(signature_, 1));
  if (!header_) start(tensor);
  if (by_row_) add_rows(header_->dtype, header_->shape, tensor, output_.name());
  if (output_.seekable()) {
    output_.write(tensor.data(), tensor.nbytes());
  } else {
    spool_.write(tensor.data(), tensor.nbytes());
  }
}

void NpyWriter::close() {
  if (!header_) start(empty_outputs(signature_, by_row_, output_.name()).front());
  const std::string text = npy::serialize(*header_, header_length_);
  if (output_.seekable()) {
    output_.patch(0, text);
  } else {
    output_.write(text);
    spool_.copy_to(output_);
  }
}

}  // namespace kit::io
