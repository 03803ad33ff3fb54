#include "engines/program_tensor.h"

namespace kit {
namespace {

/// DLPack's code for the kind of number.
std::uint8_t code_of(DType dtype) {
  switch (dtype) {
    case DType::boolean:
      return 6;
    case DType::uint8:
    case DType::uint16:
    case DType::uint32:
    case DType::uint64:
      return 1;
    case DType::int8:
    case DType::int16:
    case DType::int32:
    case DType::int64:
      return 0;
    case DType::bfloat16:
      return 4;
    case DType::float16:
    case DType::float32:
    case DType::float64:
      return 2;
    case DType::complex64:
    case DType::complex128:
      return 5;
  }
  return 2;
}

}  // namespace

KitTensor view(const Tensor& tensor) {
  auto* strides = tensor.is_contiguous() ? nullptr : const_cast<std::int64_t*>(tensor.strides().data());
  return {.data = tensor.data(),
          .device_type = tensor.device().kind == Device::Kind::cpu ? 1 : 2,
          .device_id = tensor.device().index,
          .ndim = static_cast<std::int32_t>(tensor.rank()),
          .dtype_code = code_of(tensor.dtype()),
          .dtype_bits = static_cast<std::uint8_t>(8 * item_size(tensor.dtype())),
          .dtype_lanes = 1,
          .shape = const_cast<std::int64_t*>(tensor.shape().data()),
          .strides = strides,
          .byte_offset = 0};
}

Parts::Parts(const KitTensor* tensors, std::size_t count, Rows rows) : parts_(tensors, tensors + count) {
  shapes_.reserve(count);
  for (KitTensor& part : parts_) {
    std::int64_t stride = 1;  // of a row, in elements
    for (std::int32_t axis = 1; axis < part.ndim; ++axis) stride *= part.shape[axis];
    if (part.strides != nullptr) stride = part.strides[0];
    shapes_.emplace_back(part.shape, part.shape + part.ndim);
    shapes_.back().front() = rows.end - rows.begin;
    part.shape = shapes_.back().data();
    part.data = static_cast<std::byte*>(part.data) + rows.begin * stride * (part.dtype_bits / 8);
  }
}

}  // namespace kit
