// Sorting, and the choice of the largest: NaN counts as larger than any number, as in torch.

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <vector>

#include <torch/csrc/inductor/aoti_torch/generated/c_shim_cpu.h>

#include "elements.h"

using namespace kit::program;

namespace {

/// Stands for an element. Keys are in the order of the elements of whatever dtype, and equal for equal ones.
struct Key {
  std::int64_t rank, index;
};

template <typename T>
std::int64_t rank_of(T value) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<std::int64_t>(value);
  } else {
    const auto wide = static_cast<double>(value);
    if (wide != wide) return std::numeric_limits<std::int64_t>::max();
    const auto bits = std::bit_cast<std::int64_t>(wide);
    return bits < 0 ? std::numeric_limits<std::int64_t>::min() - bits : bits;  // -0 is 0
  }
}

/// Lets `arrange` put the keys of each line into order, and writes the elements that the first `count` stand
/// for.
template <typename Arrange>
void select(const AtenTensorOpaque& self, std::int32_t dim, std::int64_t count, Arrange arrange,
            AtenTensorOpaque& values, AtenTensorOpaque& indices) {
  std::vector<Key> keys(static_cast<std::size_t>(size_of(self, dim)));
  const std::int64_t stride = stride_of(self, dim), item = item_size(self.dtype);
  const std::int64_t value_stride = stride_of(values, dim), index_stride = stride_of(indices, dim);
  for_each_line(
      dim,
      [&](std::int64_t from, std::int64_t to, std::int64_t place) {
        with_real(self.dtype, [&](auto zero) {
          const auto* data = elements<decltype(zero)>(self) + from;
          std::int64_t index = 0;
          for (Key& key : keys) {
            key = {rank_of(data[index * stride]), index};
            ++index;
          }
        });
        arrange(keys.begin(), keys.end());
        for (std::int64_t i = 0; i < count; ++i) {
          const std::int64_t index = keys[static_cast<std::size_t>(i)].index;
          std::memcpy(values.data() + (to + i * value_stride) * item,
                      self.data() + (from + index * stride) * item, static_cast<std::size_t>(item));
          elements<std::int64_t>(indices)[place + i * index_stride] = index;
        }
      },
      self, values, indices);
}

/// Calls the function with the order that is asked for.
template <typename Function>
void with_order(bool descending, Function&& function) {
  if (descending)
    function([](const Key& a, const Key& b) { return a.rank > b.rank; });
  else
    function([](const Key& a, const Key& b) { return a.rank < b.rank; });
}

}  // namespace

/// Equal elements stay in their order, whether it is asked for or not.
AOTITorchError aoti_torch_cpu_sort_stable(AtenTensorHandle self, int32_t*, int64_t dim, int32_t descending,
                                          AtenTensorHandle* ret0, AtenTensorHandle* ret1) {
  return guarded([&] {
    const std::int32_t axis = wrapped(dim, self->rank);
    *ret0 = make_like(*self, self->dtype);
    *ret1 = make_like(*self, kit::program::int64);
    with_order(descending != 0, [&](auto before) {
      select(
          *self, axis, size_of(*self, axis),
          [&](auto begin, auto end) { std::stable_sort(begin, end, before); }, **ret0, **ret1);
    });
  });
}

AOTITorchError aoti_torch_cpu_sort(AtenTensorHandle self, int64_t dim, int32_t descending,
                                   AtenTensorHandle* ret0, AtenTensorHandle* ret1) {
  return aoti_torch_cpu_sort_stable(self, nullptr, dim, descending, ret0, ret1);
}

/// Which of equal elements are taken, and in which order they come, is the same as in torch: these are the
/// calls of the standard library that it makes.
AOTITorchError aoti_torch_cpu_topk(AtenTensorHandle self, int64_t k, int64_t dim, int32_t largest,
                                   int32_t sorted, AtenTensorHandle* ret0, AtenTensorHandle* ret1) {
  return guarded([&] {
    const std::int32_t axis = wrapped(dim, self->rank);
    if (k < 0 || k > size_of(*self, axis)) throw std::runtime_error("topk of more elements than there are");
    std::int64_t sizes[AtenTensorOpaque::max_rank];
    std::copy_n(self->sizes, self->rank, sizes);
    if (self->rank != 0) sizes[axis] = k;
    *ret0 = make_tensor(self->dtype, self->rank, sizes);
    *ret1 = make_tensor(kit::program::int64, self->rank, sizes);
    if (k == 0) return;
    with_order(largest != 0, [&](auto before) {
      select(
          *self, axis, k,
          [&](auto begin, auto end) {
            if (k * 64 <= end - begin) {
              std::partial_sort(begin, begin + k, end, before);
              return;
            }
            std::nth_element(begin, begin + k - 1, end, before);
            if (sorted != 0) std::sort(begin, begin + k - 1, before);
          },
          **ret0, **ret1);
    });
  });
}
