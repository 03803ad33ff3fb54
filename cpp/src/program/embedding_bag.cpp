// Bags of embeddings: the sum, the mean or the maximum of rows of a table.

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include <torch/csrc/inductor/aoti_torch/generated/c_shim_cpu.h>

#include "elements.h"

using namespace kit::program;

namespace {

enum Mode : std::int64_t { sum = 0, mean = 1, largest = 2 };

/// A list of int32 or int64; what is set is of one without gaps.
class Numbers {
 public:
  explicit Numbers(const AtenTensorOpaque& tensor) : tensor_(tensor) {}
  std::int64_t operator[](std::int64_t i) const {
    const std::int64_t at = i * stride_of(tensor_, 0);
    return tensor_.dtype == kit::program::int32 ? elements<std::int32_t>(tensor_)[at]
                                                : elements<std::int64_t>(tensor_)[at];
  }
  void set(std::int64_t at, std::int64_t value) const {
    if (tensor_.dtype == kit::program::int32)
      elements<std::int32_t>(tensor_)[at] = static_cast<std::int32_t>(value);
    else
      elements<std::int64_t>(tensor_)[at] = value;
  }

 private:
  const AtenTensorOpaque& tensor_;
};

struct Bags {
  const AtenTensorOpaque& weight;
  Numbers indices, offsets;
  std::int64_t index_count, bag_count, starts, mode, padding;
  const AtenTensorOpaque* scales;  ///< of each index, or null

  std::int64_t end(std::int64_t bag) const { return bag + 1 < starts ? offsets[bag + 1] : index_count; }
};

/// Adds a row to what there is, or takes the larger; `first` if nothing is there yet.
template <typename T, typename Total>
void take(const Bags& bags, const T* row, Total scale, bool first, std::int64_t index,
          std::vector<Total>& total, std::int64_t* places) {
  const std::int64_t step = bags.weight.strides[1];
  for (std::size_t d = 0; d < total.size(); ++d) {
    const auto value = static_cast<Total>(row[static_cast<std::int64_t>(d) * step]);
    if (bags.mode != largest) {
      total[d] += value * scale;
    } else if (first || value > total[d]) {
      total[d] = value;
      places[d] = index;
    }
  }
}

template <typename T>
void run(const Bags& bags, AtenTensorOpaque& out, AtenTensorOpaque& bag_of, AtenTensorOpaque& sizes,
         AtenTensorOpaque& places) {
  using Total = std::conditional_t<sizeof(T) == 8, double, float>;
  std::vector<Total> total(static_cast<std::size_t>(bags.weight.sizes[1]));
  std::vector<std::int64_t> place(total.size());
  const Numbers bag_list(bag_of), size_list(sizes), place_list(places);
  T* result = elements<T>(out);
  for (std::int64_t bag = 0; bag < bags.bag_count; ++bag, result += total.size()) {
    std::fill(total.begin(), total.end(), Total(0));
    std::fill(place.begin(), place.end(), 0);
    std::int64_t count = 0;
    for (std::int64_t i = bags.offsets[bag]; i < bags.end(bag); ++i) {
      const std::int64_t index = bags.indices[i];
      if (index < 0 || index >= bags.weight.sizes[0])
        throw std::runtime_error("the index " + std::to_string(index) + " is not in a table of " +
                                 std::to_string(bags.weight.sizes[0]) + " embeddings");
      if (bag_of.sizes[0] != 0) bag_list.set(i, bag);
      if (index == bags.padding) continue;
      const Total scale = bags.scales == nullptr
                              ? Total(1)
                              : static_cast<Total>(elements<T>(*bags.scales)[i * bags.scales->strides[0]]);
      take(bags, elements<T>(bags.weight) + index * bags.weight.strides[0], scale, count == 0, index, total,
           place.data());
      ++count;
    }
    const Total divisor = bags.mode == mean && count != 0 ? static_cast<Total>(count) : Total(1);
    for (std::size_t d = 0; d < total.size(); ++d) result[d] = static_cast<T>(total[d] / divisor);
    size_list.set(bag, count);
    if (bags.mode == largest)
      for (std::size_t d = 0; d < place.size(); ++d)
        place_list.set(bag * bags.weight.sizes[1] + static_cast<std::int64_t>(d), place[d]);
  }
}

}  // namespace

AOTITorchError aoti_torch_cpu__embedding_bag(AtenTensorHandle weight, AtenTensorHandle indices,
                                             AtenTensorHandle offsets, int32_t, int64_t mode, int32_t,
                                             AtenTensorHandle* per_sample_weights,
                                             int32_t include_last_offset, int64_t padding_idx,
                                             AtenTensorHandle* ret0, AtenTensorHandle* ret1,
                                             AtenTensorHandle* ret2, AtenTensorHandle* ret3) {
  return guarded([&] {
    const std::int64_t starts = offsets->sizes[0], count = starts - (include_last_offset != 0 ? 1 : 0);
    const std::int64_t columns = weight->sizes[1];
    const AtenTensorOpaque* const scales = per_sample_weights != nullptr ? *per_sample_weights : nullptr;
    const Bags bags{
        *weight, Numbers(*indices), Numbers(*offsets), indices->sizes[0], count, starts, mode, padding_idx,
        scales};
    // Of the results but the first torch says no more than what its gradient needs; their sizes are the same.
    const bool plain = mode == sum && padding_idx < 0 && weight->strides[1] == 1 &&
                       (weight->dtype == kit::program::float32 || weight->dtype == kit::program::float16);
    const std::int64_t out[] = {count, columns}, bag_of[] = {plain ? 0 : indices->sizes[0]}, each[] = {count};
    *ret0 = make_tensor(weight->dtype, 2, out);
    *ret1 = make_tensor(offsets->dtype, 1, bag_of);
    *ret2 = make_tensor(offsets->dtype, 1, each);
    *ret3 = make_tensor(offsets->dtype, mode == largest ? 2 : 1, mode == largest ? out : each);
    if (mode != largest) aoti_torch_zero_(*ret3);
    with_real(weight->dtype, [&](auto zero) {
      using T = decltype(zero);
      if constexpr (std::is_integral_v<T>)
        throw std::runtime_error("bags of embeddings that are integers");
      else
        run<T>(bags, **ret0, **ret1, **ret2, **ret3);
    });
  });
}

AOTITorchError aoti_torch_cpu__embedding_bag_forward_only(
    AtenTensorHandle weight, AtenTensorHandle indices, AtenTensorHandle offsets, int32_t scale_grad_by_freq,
    int64_t mode, int32_t sparse, AtenTensorHandle* per_sample_weights, int32_t include_last_offset,
    int64_t padding_idx, AtenTensorHandle* ret0, AtenTensorHandle* ret1, AtenTensorHandle* ret2,
    AtenTensorHandle* ret3) {
  return aoti_torch_cpu__embedding_bag(weight, indices, offsets, scale_grad_by_freq, mode, sparse,
                                       per_sample_weights, include_last_offset, padding_idx, ret0, ret1, ret2,
                                       ret3);
}
