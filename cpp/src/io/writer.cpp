#include "io/writer.h"

#include <algorithm>

#include <kit/error.h>

#include "io/csv_writer.h"
#include "io/jsonl_writer.h"
#include "io/npy_writer.h"
#include "io/safetensors_writer.h"

namespace kit::io {

std::unique_ptr<Writer> open_writer(Format format, OutputFile& output, const Signature& signature,
                                    bool by_row) {
  switch (format) {
    case Format::csv:
      return std::make_unique<CsvWriter>(output, signature, by_row);
    case Format::jsonl:
      return std::make_unique<JsonlWriter>(output, signature, by_row);
    case Format::npy:
      return std::make_unique<NpyWriter>(output, signature, by_row);
    case Format::safetensors:
      return std::make_unique<SafetensorsWriter>(output, signature, by_row);
  }
  throw Error(ErrorCode::internal, "a format without a writer");
}

std::int64_t common_rows(const std::vector<Tensor>& outputs, const std::vector<std::string>& names) {
  std::int64_t rows = 0;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Shape& shape = outputs[i].shape();
    if (shape.empty() || (i > 0 && shape.front() != rows))
      throw Error(ErrorCode::input, "output '" + names[i] + "' is " + outputs[i].str() +
                                        " and does not have the rows of the " +
                                        (i > 0 ? "other outputs" : "inputs") +
                                        "; give inputs and take outputs as .safetensors");
    rows = shape.front();
  }
  return rows;
}

void add_rows(DType dtype, Shape& shape, const Tensor& rows, const std::string& what) {
  const Shape& added = rows.shape();
  if (rows.dtype() != dtype || !std::equal(added.begin() + 1, added.end(), shape.begin() + 1, shape.end()))
    throw Error(ErrorCode::input, what + ": a batch of rows is " + rows.str() + ", but those before are " +
                                      std::string(name(dtype)) + str(shape) +
                                      ", and one array cannot hold both; write .jsonl");
  shape.front() += added.front();
}

std::vector<Tensor> empty_outputs(const Signature& signature, bool by_row, const std::string& where) {
  std::vector<Tensor> outputs;
  for (const TensorSpec& spec : signature.outputs) {
    if (!by_row || !spec.dtype || !spec.shape || spec.shape->empty()) {
      outputs.clear();
      break;
    }
    Shape shape{0};
    for (std::size_t i = 1; i < spec.shape->size(); ++i) {
      if ((*spec.shape)[i].dim >= 0) break;
      shape.push_back((*spec.shape)[i].size);
    }
    if (shape.size() != spec.shape->size()) break;
    outputs.push_back(Tensor::empty(*spec.dtype, std::move(shape)));
  }
  if (outputs.empty() || outputs.size() != signature.outputs.size())
    throw Error(ErrorCode::input, "the input is empty, so the shape of the output " + where +
                                      " is unknown; give at least one row");
  return outputs;
}

void refuse_second_call(const std::string& where) {
  throw Error(ErrorCode::input,
              where +
                  ": each line of the input is a call of its own, and this format holds only one; "
                  "write .jsonl");
}

}  // namespace kit::io
