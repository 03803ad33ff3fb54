#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <kit/program.h>
#include <kit/tensor.h>

namespace kit {

/// The tensor as a native program takes it, for as long as the tensor lives. The program writes neither shape
/// nor strides.
KitTensor view(const Tensor& tensor);

/// Some rows, from the first to the one behind the last.
struct Rows {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// Those rows of tensors, along the first axis of each, for as long as the tensors live.
class Parts {
 public:
  Parts(const KitTensor* tensors, std::size_t count, Rows rows);
  const KitTensor* data() const noexcept { return parts_.data(); }

 private:
  std::vector<KitTensor> parts_;
  std::vector<Shape> shapes_;
};

}  // namespace kit
