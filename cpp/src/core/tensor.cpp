#include <kit/tensor.h>

#include <new>

namespace kit {
namespace {

constexpr std::size_t alignment = 64;

std::int64_t count(const Shape& shape) {
  std::int64_t total = 1;
  for (const std::int64_t size : shape) {
    if (size < 0) throw Error(ErrorCode::input, "the shape " + str(shape) + " has a negative size");
    if (__builtin_mul_overflow(total, size, &total))
      throw Error(ErrorCode::input, "the shape " + str(shape) + " has more elements than memory can hold");
  }
  return total;
}

std::shared_ptr<void> aligned_memory(std::size_t bytes) {
#ifndef __SANITIZE_ADDRESS__  // which finds what writes beyond the end only where the end is the block's
  // One plain allocation takes a fraction of the time of an aligned one and one for the counts.
  if (constexpr std::size_t small = 4096; bytes <= small) {
    auto block = std::make_shared_for_overwrite<std::byte[]>(bytes + alignment - 1);
    std::byte* data = block.get();
    data += (alignment - reinterpret_cast<std::uintptr_t>(data) % alignment) % alignment;
    return {std::move(block), data};
  }
#endif
  const auto release = [](void* memory) { ::operator delete (memory, std::align_val_t{alignment}); };
  return {::operator new (bytes, std::align_val_t{alignment}), release};
}

/// Whether the strides address row-major memory without gaps. Strides of dimensions of size 1 do not matter.
bool is_row_major(const Shape& shape, const std::vector<std::int64_t>& strides, std::int64_t numel) {
  if (numel == 0) return true;
  std::int64_t step = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1 && strides[i] != step) return false;
    step *= shape[i];
  }
  return true;
}

void copy_strided(const Tensor& from, std::size_t dim, const std::byte* source, std::byte*& target) {
  const std::size_t item = item_size(from.dtype());
  if (dim == from.shape().size()) {
    std::memcpy(target, source, item);
    target += item;
    return;
  }
  for (std::int64_t i = 0; i < from.shape()[dim]; ++i)
    copy_strided(from, dim + 1, source + i * from.strides()[dim] * static_cast<std::int64_t>(item), target);
}

}  // namespace

std::string str(const Shape& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

Tensor::Tensor(void* data, DType dtype, Shape shape, std::vector<std::int64_t> strides, Device device,
               std::shared_ptr<void> owner)
    : data_(data),
      numel_(count(shape)),
      shape_(std::move(shape)),
      strides_(std::move(strides)),
      owner_(std::move(owner)),
      device_(device),
      dtype_(dtype),
      defined_(true) {
  if (strides_.empty()) return;
  if (strides_.size() != shape_.size())
    throw Error(ErrorCode::input, std::to_string(strides_.size()) +
                                      " strides cannot address a tensor of shape " + kit::str(shape_) +
                                      "; give one for each dimension");
  if (is_row_major(shape_, strides_, numel_)) strides_.clear();
}

Tensor Tensor::empty(DType dtype, Shape shape) {
  const std::int64_t elements = count(shape);
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(elements, static_cast<std::int64_t>(item_size(dtype)), &bytes))
    throw Error(ErrorCode::input, "the shape " + kit::str(shape) + " has more elements than memory can hold");
  // At least one byte, so that even an empty tensor has an address of its own.
  std::shared_ptr<void> memory = aligned_memory(static_cast<std::size_t>(bytes > 0 ? bytes : 1));
  void* data = memory.get();
  return Tensor(data, dtype, std::move(shape), {}, Device{}, std::move(memory));
}

Tensor Tensor::contiguous() const {
  if (is_contiguous()) return *this;
  if (device_.kind != Device::Kind::cpu)
    throw Error(ErrorCode::unavailable,
                str() + " on " + device_.str() + " has gaps; make it contiguous before it is handed to kit");
  Tensor result = empty(dtype_, shape_);
  auto* target = static_cast<std::byte*>(result.data());
  copy_strided(*this, 0, static_cast<const std::byte*>(data_), target);
  return result;
}

Tensor Tensor::slice(std::int64_t begin, std::int64_t end) const {
  if (shape_.empty() || begin < 0 || begin > end || end > shape_[0])
    throw Error(ErrorCode::input, "rows " + std::to_string(begin) + " to " + std::to_string(end) +
                                      " lie outside of the tensor " + str());
  Tensor result = *this;
  const std::int64_t row = !strides_.empty() ? strides_[0] : (numel_ == 0 ? 0 : numel_ / shape_[0]);
  if (data_ != nullptr)
    result.data_ =
        static_cast<std::byte*>(data_) + begin * row * static_cast<std::int64_t>(item_size(dtype_));
  result.shape_[0] = end - begin;
  result.numel_ = count(result.shape_);
  return result;
}

std::string Tensor::str() const {
  if (!defined_) return "undefined tensor";
  return std::string(name(dtype_)) + kit::str(shape_);
}

}  // namespace kit
