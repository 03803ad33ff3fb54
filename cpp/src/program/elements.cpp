#include "elements.h"

#include <algorithm>

namespace kit::program {

AtenTensorOpaque* make_like(const AtenTensorOpaque& tensor, std::int32_t dtype) {
  std::int32_t order[AtenTensorOpaque::max_rank];  // the innermost first
  for (std::int32_t i = 0; i < tensor.rank; ++i) order[i] = tensor.rank - 1 - i;
  std::stable_sort(order, order + tensor.rank,
                   [&](std::int32_t a, std::int32_t b) { return tensor.strides[a] < tensor.strides[b]; });
  std::int64_t strides[AtenTensorOpaque::max_rank] = {}, stride = 1;
  for (std::int32_t i = 0; i < tensor.rank; ++i) {
    strides[order[i]] = stride;
    stride *= std::max(tensor.sizes[order[i]], std::int64_t{1});
  }
  return make_tensor(dtype, tensor.rank, tensor.sizes, strides);
}

}  // namespace kit::program
