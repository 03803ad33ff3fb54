#include "io/reader.h"

#include <kit/error.h>

#include "io/csv_reader.h"
#include "io/jsonl_reader.h"
#include "io/npy_reader.h"
#include "io/safetensors_reader.h"

namespace kit::io {

std::unique_ptr<Reader> open_reader(Format format, InputFile file, const Signature& signature,
                                    Batching::Kind kind) {
  const bool by_row = kind != Batching::Kind::whole;
  switch (format) {
    case Format::csv:
      return std::make_unique<CsvReader>(std::move(file), signature, by_row);
    case Format::jsonl:
      return std::make_unique<JsonlReader>(std::move(file), signature, by_row);
    case Format::npy:
      return std::make_unique<NpyReader>(std::move(file), signature, by_row);
    case Format::safetensors:
      return std::make_unique<SafetensorsReader>(std::move(file), signature, by_row);
  }
  throw Error(ErrorCode::internal, "a format without a reader");
}

void check_entry(const Signature& signature, const TensorSpec& spec, DType dtype, const Shape& shape,
                 bool by_row, const std::string& where) {
  bool fits = !spec.dtype || *spec.dtype == dtype;
  const bool dtype_fits = fits;
  if (spec.shape) {
    fits = fits && spec.shape->size() == shape.size();
    for (std::size_t i = by_row ? 1 : 0; fits && i < shape.size(); ++i)
      fits = (*spec.shape)[i].dim >= 0 || (*spec.shape)[i].size == shape[i];
  }
  if (fits) return;
  const std::string wanted = signature.str(spec);
  const std::string came = std::string(name(dtype)) + str(shape);
  std::string message = where + ": input '" + spec.name + "' wants " + wanted + ", but " + came + " came";
  if (!dtype_fits)
    message += "; convert it with .astype in NumPy or .to in torch: " + std::string(name(*spec.dtype));
  throw Error(ErrorCode::input, message);
}

std::uint64_t checked_bytes(DType dtype, const Shape& shape, const std::string& where) {
  constexpr std::uint64_t most = std::uint64_t{1} << 47;
  std::uint64_t bytes = item_size(dtype);
  bool empty = false;
  for (const std::int64_t size : shape) empty = empty || size == 0;
  for (const std::int64_t size : shape) {
    if (size < 0 || __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(size == 0 ? 1 : size), &bytes) ||
        bytes > most)
      throw Error(ErrorCode::input, where + ": a tensor of shape " + str(shape) + " fits in no memory");
  }
  return empty ? 0 : bytes;
}

}  // namespace kit::io
