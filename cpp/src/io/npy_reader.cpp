#include "io/npy_reader.h"

#include <array>
#include <cstring>
#include <string>
#include <string_view>

#include <kit/error.h>

namespace kit::io {

NpyReader::NpyReader(InputFile file, const Signature& signature, bool by_row)
    : file_(std::move(file)), by_row_(by_row) {
  if (signature.inputs.size() != 1)
    throw Error(ErrorCode::input, file_.name() + ": an .npy file holds one array, but the model has " +
                                      std::to_string(signature.inputs.size()) + " inputs; use .safetensors");
  read_header();
  const TensorSpec& spec = signature.inputs.front();
  check_entry(signature, spec, header_.dtype, header_.shape, by_row_, file_.name());
  const std::uint64_t bytes = checked_bytes(header_.dtype, header_.shape, file_.name());
  if (const auto remaining = file_.remaining(); remaining && *remaining != bytes)
    throw Error(ErrorCode::input, file_.name() + ": the array " + str(header_.shape) + " has " +
                                      std::to_string(bytes) + " bytes, but " + std::to_string(*remaining) +
                                      " follow the header; the file is damaged");
  // Without a second dimension to vary, both orders are the same.
  std::size_t longer = 0;
  for (const std::int64_t size : header_.shape) longer += size > 1 ? 1 : 0;
  if (!header_.fortran_order || longer < 2) return;
  std::vector<std::int64_t> strides;
  std::int64_t stride = 1;
  for (const std::int64_t size : header_.shape) {
    strides.push_back(stride);
    stride *= size;
  }
  const Tensor memory = read(header_.shape);
  whole_ = Tensor(memory.data(), memory.dtype(), header_.shape, std::move(strides), {}, memory.owner());
}

void NpyReader::read_header() {
  constexpr std::string_view magic = "\x93NUMPY";
  std::array<unsigned char, npy::longest_prefix> prefix{};
  const bool long_enough = file_.read(prefix.data(), 8) == 8;
  if (!long_enough || std::memcmp(prefix.data(), magic.data(), magic.size()) != 0)
    throw Error(ErrorCode::input, file_.name() + " is no .npy file; write it with numpy.save");
  const unsigned version = prefix[6];
  if (version < 1 || version > 3)
    throw Error(ErrorCode::input, file_.name() + " is an .npy file of version " + std::to_string(version) +
                                      ", but only 1 to 3 can be read; write it with numpy.save");
  const std::size_t width = version == 1 ? 2 : 4;
  std::size_t length = 0;
  bool complete = file_.read(prefix.data() + 8, width) == width;
  for (std::size_t i = 0; i < width; ++i) length |= static_cast<std::size_t>(prefix[8 + i]) << (8 * i);
  // The header of a plain array takes about a hundred bytes; a length far beyond is damage.
  constexpr std::size_t longest_header = 1 << 20;
  std::string text(complete && length <= longest_header ? length : 0, '\0');
  complete = complete && length <= longest_header && file_.read(text.data(), length) == length;
  if (!complete)
    throw Error(ErrorCode::input, file_.name() + ": the .npy header is cut off; the file is damaged");
  header_ = npy::parse(text, file_.name());
}

/// The next bytes of the file as a tensor.
Tensor NpyReader::read(Shape shape) {
  Tensor tensor = Tensor::empty(header_.dtype, std::move(shape));
  if (file_.read(tensor.data(), tensor.nbytes()) != tensor.nbytes())
    throw Error(ErrorCode::input,
                file_.name() + ": the file ends before the array " + str(header_.shape) + " does");
  return tensor;
}

std::optional<std::vector<Tensor>> NpyReader::next(std::int64_t rows) {
  const std::int64_t end = by_row_ ? header_.shape.front() : 1;
  if (done_ == end) {
    char extra = 0;
    if (file_.read(&extra, 1) != 0)
      throw Error(ErrorCode::input, file_.name() + ": more bytes follow the array; the file is damaged");
    return std::nullopt;
  }
  if (!by_row_) {
    done_ = 1;
    return std::vector<Tensor>{whole_.defined() ? whole_.contiguous() : read(header_.shape)};
  }
  const std::int64_t count = std::min(rows, end - done_);
  Tensor tensor;
  if (whole_.defined()) {
    tensor = whole_.slice(done_, done_ + count).contiguous();
  } else {
    Shape shape = header_.shape;
    shape.front() = count;
    tensor = read(std::move(shape));
  }
  done_ += count;
  return std::vector<Tensor>{tensor};
}

}  // namespace kit::io
