// Elements written, or added, to places that indices along several dimensions say, or masks.

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include <torch/csrc/inductor/aoti_torch/generated/c_shim_cpu.h>

#include "elements.h"

using namespace kit::program;

namespace {

using Numbers = std::vector<std::int64_t>;

/// Positions along one dimension, with the shape that they came in.
struct Positions {
  std::int32_t dim;
  Numbers shape, values;
};

std::int64_t product(const Numbers& sizes) {
  std::int64_t result = 1;
  for (const std::int64_t size : sizes) result *= size;
  return result;
}

/// Calls the function with each index of a shape, in order.
template <typename Function>
void for_each_index(const Numbers& shape, Function&& function) {
  Numbers index(shape.size(), 0);
  for (std::int64_t left = product(shape); left > 0; --left) {
    function(index);
    for (std::size_t d = shape.size(); d-- > 0;) {
      if (++index[d] < shape[d]) break;
      index[d] = 0;
    }
  }
}

std::int64_t offset_of(const AtenTensorOpaque& tensor, const Numbers& index) {
  std::int64_t offset = 0;
  for (std::size_t d = 0; d < index.size(); ++d) offset += index[d] * tensor.strides[d];
  return offset;
}

/// The offset of what an index of a larger shape sees: sizes of 1 are repeated, and dimensions at the front.
std::int64_t repeated(const Numbers& sizes, const Numbers& strides, const Numbers& index) {
  std::int64_t offset = 0;
  const std::size_t missing = index.size() - sizes.size();
  for (std::size_t d = 0; d < sizes.size(); ++d)
    if (sizes[d] != 1) offset += index[missing + d] * strides[d];
  return offset;
}

Numbers strides_of(const Numbers& sizes) {
  Numbers strides(sizes.size(), 1);
  for (std::size_t d = sizes.size(); d-- > 1;) strides[d - 1] = strides[d] * sizes[d];
  return strides;
}

/// An index as positions; a mask as those where it is true, along each of its dimensions.
void read(const AtenTensorOpaque& self, const AtenTensorOpaque& index, std::int32_t dim,
          std::vector<Positions>& all) {
  const Numbers shape(index.sizes, index.sizes + index.rank);
  if (index.dtype == boolean || index.dtype == uint8) {
    const std::size_t first = all.size();
    for (std::int32_t d = 0; d < index.rank; ++d) all.push_back({dim + d, {0}, {}});
    for_each_index(shape, [&](const Numbers& at) {
      if (elements<std::uint8_t>(index)[offset_of(index, at)] == 0) return;
      for (std::size_t d = 0; d < at.size(); ++d) all[first + d].values.push_back(at[d]);
    });
    for (std::size_t d = first; d < all.size(); ++d)
      all[d].shape[0] = static_cast<std::int64_t>(all[d].values.size());
    return;
  }
  Positions result{dim, shape, {}};
  const std::int64_t range = self.sizes[dim];
  for_each_index(shape, [&](const Numbers& at) {
    const std::int64_t offset = offset_of(index, at);
    std::int64_t value = index.dtype == kit::program::int32 ? elements<std::int32_t>(index)[offset]
                                                            : elements<std::int64_t>(index)[offset];
    if (value < -range || value >= range)
      throw std::runtime_error("the index " + std::to_string(value) + " is not in a dimension of size " +
                               std::to_string(range));
    result.values.push_back(value < 0 ? value + range : value);
  });
  all.push_back(std::move(result));
}

/// The shape that all positions are repeated to.
Numbers common_shape(const std::vector<Positions>& all) {
  Numbers shape;
  for (const Positions& one : all) {
    if (one.shape.size() > shape.size()) shape.insert(shape.begin(), one.shape.size() - shape.size(), 1);
    const std::size_t missing = shape.size() - one.shape.size();
    for (std::size_t d = 0; d < one.shape.size(); ++d)
      if (one.shape[d] != 1) shape[missing + d] = one.shape[d];
  }
  return shape;
}

void put(AtenTensorOpaque& out, const std::vector<Positions>& all, const AtenTensorOpaque& values,
         bool accumulate) {
  const Numbers shape = common_shape(all);
  std::vector<Numbers> strides;
  std::vector<bool> indexed(static_cast<std::size_t>(out.rank), false);
  bool adjacent = true;
  for (std::size_t i = 0; i < all.size(); ++i) {
    indexed[static_cast<std::size_t>(all[i].dim)] = true;
    adjacent = adjacent && (i == 0 || all[i].dim == all[i - 1].dim + 1);
    strides.push_back(strides_of(all[i].shape));
  }
  // The shape of what is written: the positions' where the indexed dimensions were, or in front if they are
  // apart.
  const std::size_t front = adjacent && !all.empty() ? static_cast<std::size_t>(all[0].dim) : 0;
  Numbers written, other_strides;
  for (std::int32_t d = 0; d < out.rank; ++d) {
    if (indexed[static_cast<std::size_t>(d)]) continue;
    written.push_back(out.sizes[d]);
    other_strides.push_back(out.strides[d]);
  }
  written.insert(written.begin() + static_cast<std::ptrdiff_t>(front), shape.begin(), shape.end());
  const Numbers sizes(values.sizes, values.sizes + values.rank),
      steps(values.strides, values.strides + values.rank);
  with_number(out.dtype, [&](auto zero) {
    using T = decltype(zero);
    Numbers position(shape.size());
    for_each_index(written, [&](const Numbers& at) {
      std::copy_n(at.begin() + static_cast<std::ptrdiff_t>(front), shape.size(), position.begin());
      std::int64_t offset = 0;
      for (std::size_t d = 0; d < other_strides.size(); ++d)
        offset += at[d < front ? d : d + shape.size()] * other_strides[d];
      for (std::size_t i = 0; i < all.size(); ++i)
        offset += all[i].values[static_cast<std::size_t>(repeated(all[i].shape, strides[i], position))] *
                  out.strides[all[i].dim];
      T& target = elements<T>(out)[offset];
      const T value = elements<T>(values)[repeated(sizes, steps, at)];
      target = accumulate ? static_cast<T>(target + value) : value;
    });
  });
}

}  // namespace

AOTITorchError aoti_torch_index_put_out(AtenTensorHandle out, AtenTensorHandle self,
                                        const AtenTensorHandle* indices, const uint32_t num_indices,
                                        const AtenTensorHandle values, bool accumulate) {
  return guarded([&] {
    if (out->data() != self->data()) copy_elements(*self, *out);
    std::vector<Positions> all;
    std::int32_t dim = 0;
    for (std::uint32_t i = 0; i < num_indices; ++i) {
      const AtenTensorOpaque* const index = indices[i];
      if (index != nullptr) read(*out, *index, dim, all);
      dim += index != nullptr && (index->dtype == boolean || index->dtype == uint8) ? index->rank : 1;
    }
    put(*out, all, *values, accumulate);
  });
}

AOTITorchError aoti_torch_cpu_index_put(AtenTensorHandle self, const AtenTensorHandle** indices,
                                        int64_t indices_len_, AtenTensorHandle values, int32_t accumulate,
                                        AtenTensorHandle* ret0) {
  *ret0 = nullptr;
  return guarded([&] {
    *ret0 = make_like(*self, self->dtype);
    copy_elements(*self, **ret0);
    std::vector<AtenTensorHandle> list;
    for (std::int64_t i = 0; i < indices_len_; ++i)
      list.push_back(indices[i] != nullptr ? *indices[i] : nullptr);
    if (aoti_torch_index_put_out(*ret0, *ret0, list.data(), static_cast<std::uint32_t>(list.size()), values,
                                 accumulate != 0) != AOTI_TORCH_SUCCESS)
      throw std::runtime_error(last_error());
  });
}
