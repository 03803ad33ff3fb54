#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <kit/device.h>
#include <kit/dtype.h>
#include <kit/error.h>

namespace kit {

/// Sizes of the dimensions, outermost first. Empty for a scalar.
using Shape = std::vector<std::int64_t>;

/// "[8, 3]".
std::string str(const Shape& shape);

/// A view of an n-dimensional array, with an owner that keeps its memory alive.
///
/// It has the fields of a DLPack tensor and knows no torch. Copying a Tensor copies the view and shares
/// the memory. A default-constructed Tensor is undefined: `defined()` is false and it has no data.
class Tensor {
 public:
  Tensor() = default;

  /// A view of memory that `owner` keeps alive; with no owner, the caller does, for as long as this
  /// tensor or a copy of it is used. `strides` are in elements; empty means row-major without gaps.
  Tensor(void* data, DType dtype, Shape shape, std::vector<std::int64_t> strides = {}, Device device = {},
         std::shared_ptr<void> owner = nullptr);

  /// Uninitialised memory of its own on the CPU, row-major, aligned to 64 bytes.
  static Tensor empty(DType dtype, Shape shape);

  /// A copy of `values`, in row-major order. Throws an input error if their number is not that of `shape`.
  template <typename T>
  static Tensor of(const std::vector<T>& values, Shape shape);

  bool defined() const noexcept { return defined_; }
  DType dtype() const noexcept { return dtype_; }
  const Shape& shape() const noexcept { return shape_; }
  std::int64_t rank() const noexcept { return static_cast<std::int64_t>(shape_.size()); }
  const Device& device() const noexcept { return device_; }
  const std::shared_ptr<void>& owner() const noexcept { return owner_; }
  std::int64_t numel() const noexcept { return numel_; }
  std::size_t nbytes() const noexcept { return static_cast<std::size_t>(numel_) * item_size(dtype_); }

  /// Strides in elements; empty where the memory is row-major without gaps.
  const std::vector<std::int64_t>& strides() const noexcept { return strides_; }
  bool is_contiguous() const noexcept { return strides_.empty(); }

  /// The first element; null is possible where `numel()` is 0.
  void* data() const noexcept { return data_; }

  /// The elements as `T`. Throws an input error if `T` is not the element type.
  template <typename T>
  T* data_as() const;

  /// This tensor if it is row-major without gaps, else a copy on the CPU that is. Throws an unavailable
  /// error for a strided tensor on another device.
  Tensor contiguous() const;

  /// Rows `begin` to `end` (exclusive) along the first dimension, sharing the memory. Throws an input
  /// error if the tensor is a scalar or the range is outside of it.
  Tensor slice(std::int64_t begin, std::int64_t end) const;

  /// "float32[8, 3]".
  std::string str() const;

 private:
  void* data_ = nullptr;
  std::int64_t numel_ = 0;
  Shape shape_;
  std::vector<std::int64_t> strides_;
  std::shared_ptr<void> owner_;
  Device device_;
  DType dtype_ = DType::float32;
  bool defined_ = false;
};

template <typename T>
Tensor Tensor::of(const std::vector<T>& values, Shape shape) {
  Tensor result = empty(dtype_of<T>(), std::move(shape));
  if (static_cast<std::int64_t>(values.size()) != result.numel())
    throw Error(ErrorCode::input, std::to_string(values.size()) + " values cannot fill a tensor of shape " +
                                      kit::str(result.shape()) + "; give one value for each element");
  T* out = static_cast<T*>(result.data());
  for (std::size_t i = 0; i < values.size(); ++i) out[i] = values[i];
  return result;
}

template <typename T>
T* Tensor::data_as() const {
  if (dtype_of<T>() != dtype_)
    throw Error(ErrorCode::input, "the elements of " + str() + " were asked for as " +
                                      std::string(name(dtype_of<T>())) + "; ask for them as what they are");
  return static_cast<T*>(data_);
}

}  // namespace kit
