// Elements written, or added, to places that an index along one dimension says.

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>

#include <torch/csrc/inductor/aoti_torch/generated/c_shim_cpu.h>

#include "elements.h"

using namespace kit::program;

namespace {

enum class Reduce { none, sum, prod, mean, amax, amin };

Reduce reduce_of(std::string_view name) {
  if (name == "sum" || name == "add") return Reduce::sum;
  if (name == "prod" || name == "multiply") return Reduce::prod;
  if (name == "mean") return Reduce::mean;
  if (name == "amax") return Reduce::amax;
  if (name == "amin") return Reduce::amin;
  throw std::runtime_error("a scatter that reduces by " + std::string(name));
}

/// Calls the function with the offset of the place in `out` and that of the element in `src`, for each index.
template <typename Function>
void for_each_place(const AtenTensorOpaque& out, std::int32_t dim, const AtenTensorOpaque& index,
                    const AtenTensorOpaque& src, Function&& function) {
  const std::int64_t count = size_of(index, dim), range = size_of(out, dim);
  if (count == 0) return;
  for_each_line(
      dim,
      [&](std::int64_t at, std::int64_t to, std::int64_t from) {
        for (std::int64_t i = 0; i < count; ++i) {
          const std::int64_t entry = at + i * stride_of(index, dim);
          const std::int64_t place = index.dtype == kit::program::int32
                                         ? elements<std::int32_t>(index)[entry]
                                         : elements<std::int64_t>(index)[entry];
          if (place < 0 || place >= range)
            throw std::runtime_error("the index " + std::to_string(place) +
                                     " is not in a dimension of size " + std::to_string(range));
          function(to + place * stride_of(out, dim), from + i * stride_of(src, dim));
        }
      },
      index, out, src);
}

template <typename T>
T identity(Reduce reduce) {
  if (reduce == Reduce::prod) return T(1);
  if constexpr (!is_complex<T>) {
    using Limits = std::numeric_limits<T>;
    const bool infinite = Limits::has_infinity;
    if (reduce == Reduce::amax) return infinite ? static_cast<T>(-Limits::infinity()) : Limits::lowest();
    if (reduce == Reduce::amin) return infinite ? Limits::infinity() : Limits::max();
  }
  return T(0);
}

template <typename T>
T combined(Reduce reduce, T old, T value) {
  switch (reduce) {
    case Reduce::none:
      return value;
    case Reduce::prod:
      return static_cast<T>(old * value);
    case Reduce::amax:
      return is_nan(old) || (!is_nan(value) && !(value > old)) ? old : value;
    case Reduce::amin:
      return is_nan(old) || (!is_nan(value) && !(value < old)) ? old : value;
    default:
      return static_cast<T>(old + value);
  }
}

template <typename T>
void scatter(AtenTensorOpaque& out, std::int32_t dim, const AtenTensorOpaque& index,
             const AtenTensorOpaque& src, Reduce reduce, bool include_self) {
  T* const to = elements<T>(out);
  const T* const from = elements<T>(src);
  if (!include_self)
    for_each_place(out, dim, index, src,
                   [&](std::int64_t at, std::int64_t) { to[at] = identity<T>(reduce); });
  for_each_place(out, dim, index, src, [&](std::int64_t at, std::int64_t source) {
    to[at] = combined(reduce, to[at], from[source]);
  });
  if (reduce != Reduce::mean) return;
  const std::int64_t item = item_size(out.dtype);
  const Scratch memory(kit::program::int64, out.storage_bytes / item + 1);
  auto* const count = memory.data<std::int64_t>();
  std::fill(count, count + out.storage_bytes / item + 1, include_self ? 1 : 0);
  for_each_place(out, dim, index, src, [&](std::int64_t at, std::int64_t) { ++count[at]; });
  // Each place once: it has no count afterwards.
  for_each_place(out, dim, index, src, [&](std::int64_t at, std::int64_t) {
    if (count[at] > 1) {
      if constexpr (std::is_integral_v<T>) {
        const auto whole = static_cast<std::int64_t>(to[at]);
        to[at] = static_cast<T>(whole / count[at] - (whole % count[at] < 0 ? 1 : 0));
      } else {
        to[at] = static_cast<T>(to[at] / static_cast<T>(static_cast<double>(count[at])));
      }
    }
    count[at] = 1;
  });
}

void run(AtenTensorHandle out, AtenTensorHandle self, int64_t dim, AtenTensorHandle index,
         AtenTensorHandle src, Reduce reduce, bool include_self) {
  if (out->data() != self->data()) copy_elements(*self, *out);
  with_real(out->dtype, [&](auto zero) {
    scatter<decltype(zero)>(*out, wrapped(dim, out->rank), *index, *src, reduce, include_self);
  });
}

}  // namespace

AOTITorchError aoti_torch_scatter_out(AtenTensorHandle out, AtenTensorHandle self, int64_t dim,
                                      AtenTensorHandle index, AtenTensorHandle src) {
  return guarded([&] { run(out, self, dim, index, src, Reduce::none, true); });
}

AOTITorchError aoti_torch_cpu_scatter_src_out(AtenTensorHandle out, AtenTensorHandle self, int64_t dim,
                                              AtenTensorHandle index, AtenTensorHandle src) {
  return aoti_torch_scatter_out(out, self, dim, index, src);
}

AOTITorchError aoti_torch_scatter_reduce_out(AtenTensorHandle out, AtenTensorHandle self, int64_t dim,
                                             AtenTensorHandle index, AtenTensorHandle src, const char* reduce,
                                             int32_t include_self) {
  return guarded([&] { run(out, self, dim, index, src, reduce_of(reduce), include_self != 0); });
}

AOTITorchError aoti_torch_cpu_scatter_reduce_two_out(AtenTensorHandle out, AtenTensorHandle self, int64_t dim,
                                                     AtenTensorHandle index, AtenTensorHandle src,
                                                     const char* reduce, int32_t include_self) {
  return aoti_torch_scatter_reduce_out(out, self, dim, index, src, reduce, include_self);
}
