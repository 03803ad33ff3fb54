// Convolutions, which Inductor leaves to ATen: patches of the input side by side, times the kernel.

#include <algorithm>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>

#include <torch/csrc/inductor/aoti_torch/generated/c_shim_cpu.h>

#include "elements.h"
#include "matmul.h"

using namespace kit::program;

namespace {

constexpr std::int64_t most_dims = 3;

/// Rows of output positions, along the last dimension: those of the others, in order.
struct Rows {
  std::int64_t first, count;
};

/// One convolution, with 1 to 3 dimensions of space made 3 by leading ones of size 1.
struct Geometry {
  std::int64_t batch, groups, in_channels, out_channels;  ///< channels of all groups
  std::int64_t in[most_dims], out[most_dims], kernel[most_dims], stride[most_dims], padding[most_dims],
      dilation[most_dims];

  static std::int64_t product(const std::int64_t* sizes) { return sizes[0] * sizes[1] * sizes[2]; }
  std::int64_t positions() const { return product(out); }
  std::int64_t pixels() const { return product(in); }
  std::int64_t taps() const { return product(kernel); }
  Rows rows() const { return {0, out[0] * out[1]}; }
  /// Whether each output channel sees one input channel alone.
  bool depthwise() const { return in_channels == groups; }
};

/// The range of output positions [begin, end) along a dimension whose tap falls inside the input.
void inside(const Geometry& g, int dim, std::int64_t tap, std::int64_t& begin, std::int64_t& end) {
  const std::int64_t shift = tap * g.dilation[dim] - g.padding[dim];
  begin = shift >= 0 ? 0 : std::min(g.out[dim], (-shift + g.stride[dim] - 1) / g.stride[dim]);
  end = g.in[dim] - shift <= 0
            ? 0
            : std::min(g.out[dim], (g.in[dim] - shift + g.stride[dim] - 1) / g.stride[dim]);
  end = std::max(begin, end);
}

/// Calls `row(tap, position, pixel, begin, end)` for each tap of a channel and each of the rows: the
/// positions from begin to end, of a row that starts at `position` of the block, see the pixels from `pixel`
/// on, one stride further each.
template <typename Row>
void walk(const Geometry& g, Rows rows, Row&& row) {
  std::int64_t tap = 0;
  for (std::int64_t a = 0; a < g.kernel[0]; ++a)
    for (std::int64_t b = 0; b < g.kernel[1]; ++b)
      for (std::int64_t c = 0; c < g.kernel[2]; ++c, ++tap) {
        std::int64_t begin = 0, end = 0;
        inside(g, 2, c, begin, end);
        const std::int64_t z = begin * g.stride[2] + c * g.dilation[2] - g.padding[2];
        for (std::int64_t r = 0; r < rows.count; ++r) {
          const std::int64_t i = (rows.first + r) / g.out[1], j = (rows.first + r) % g.out[1];
          const std::int64_t x = i * g.stride[0] + a * g.dilation[0] - g.padding[0];
          const std::int64_t y = j * g.stride[1] + b * g.dilation[1] - g.padding[1];
          const bool seen = x >= 0 && x < g.in[0] && y >= 0 && y < g.in[1];
          row(tap, r * g.out[2], (x * g.in[1] + y) * g.in[2] + z, seen ? begin : 0, seen ? end : 0);
        }
      }
}

/// columns[channel * taps + tap][position] = the pixel that the tap sees there, or 0.
template <typename T>
void spread(const Geometry& g, Rows rows, const T* input, std::int64_t channels, T* columns) {
  const std::int64_t positions = rows.count * g.out[2];
  for (std::int64_t channel = 0; channel < channels; ++channel, input += g.pixels()) {
    T* const base = columns + channel * g.taps() * positions;
    walk(g, rows,
         [&](std::int64_t tap, std::int64_t position, std::int64_t pixel, std::int64_t begin,
             std::int64_t end) {
           T* const to = base + tap * positions + position;
           std::fill(to, to + begin, T(0));
           if (g.stride[2] == 1) {
             if (end > begin)
               std::memcpy(to + begin, input + pixel, static_cast<std::size_t>(end - begin) * sizeof(T));
           } else {
             for (std::int64_t k = begin; k < end; ++k) to[k] = input[pixel + (k - begin) * g.stride[2]];
           }
           std::fill(to + end, to + g.out[2], T(0));
         });
  }
}

/// The other way: adds each column to the pixel that it comes from.
template <typename T>
void gather(const Geometry& g, const T* columns, std::int64_t channels, T* input) {
  const std::int64_t positions = g.positions();
  for (std::int64_t channel = 0; channel < channels; ++channel, input += g.pixels()) {
    const T* const base = columns + channel * g.taps() * positions;
    walk(g, g.rows(),
         [&](std::int64_t tap, std::int64_t position, std::int64_t pixel, std::int64_t begin,
             std::int64_t end) {
           const T* const from = base + tap * positions + position;
           for (std::int64_t k = begin; k < end; ++k) input[pixel + (k - begin) * g.stride[2]] += from[k];
         });
  }
}

/// Whether the input already is the matrix that `spread` would make.
bool pointwise(const Geometry& g) {
  for (int i = 0; i < most_dims; ++i)
    if (g.kernel[i] != 1 || g.stride[i] != 1 || g.padding[i] != 0) return false;
  return true;
}

/// How many rows to spread at once, so that what they become stays in the cache.
std::int64_t rows_at_once(const Geometry& g, std::int64_t item) {
  constexpr std::int64_t most_bytes = 1 << 20;
  const std::int64_t row = g.in_channels / g.groups * g.taps() * g.out[2] * item;
  return std::clamp(most_bytes / std::max(row, std::int64_t{1}), std::int64_t{1},
                    std::max(g.rows().count, std::int64_t{1}));
}

template <typename T>
void forward(const Geometry& g, std::int32_t dtype, const T* input, const T* weight, T* output, T* columns) {
  const std::int64_t channels = g.in_channels / g.groups, filters = g.out_channels / g.groups;
  const std::int64_t taps = channels * g.taps(), positions = g.positions();
  for (std::int64_t i = 0; i < g.batch * g.groups;
       ++i, input += channels * g.pixels(), output += filters * positions) {
    const Matrix left{const_cast<T*>(weight + (i % g.groups) * filters * taps), filters, taps, taps, 1};
    if (pointwise(g)) {
      const Matrix right{const_cast<T*>(input), taps, positions, positions, 1};
      multiply(dtype, left, right, {output, filters, positions, positions, 1}, 1, 1);
      continue;
    }
    const std::int64_t step = rows_at_once(g, sizeof(T));
    for (std::int64_t first = 0; first < g.rows().count; first += step) {
      const Rows rows{first, std::min(step, g.rows().count - first)};
      const std::int64_t count = rows.count * g.out[2];
      spread(g, rows, input, channels, columns);
      multiply(dtype, left, {columns, taps, count, count, 1},
               {output + first * g.out[2], filters, count, positions, 1}, 1, 1);
    }
  }
}

/// Where a channel sees but one other, there is no matrix to multiply with: row by row, tap by tap.
template <typename T>
void depthwise(const Geometry& g, const T* input, const T* weight, T* output) {
  const std::int64_t filters = g.out_channels / g.groups;
  for (std::int64_t i = 0; i < g.batch * g.groups; ++i, input += g.pixels())
    for (std::int64_t f = 0; f < filters; ++f, output += g.positions()) {
      const T* const taps = weight + ((i % g.groups) * filters + f) * g.taps();
      for (std::int64_t r = 0; r < g.rows().count; ++r)
        walk(g, {r, 1},
             [&](std::int64_t tap, std::int64_t, std::int64_t pixel, std::int64_t begin, std::int64_t end) {
               T* const to = output + r * g.out[2] + begin;
               const T* const from = input + pixel;
               const T factor = taps[tap];
               const std::int64_t count = end - begin, stride = g.stride[2];
               if (stride == 1)
                 for (std::int64_t k = 0; k < count; ++k) to[k] += factor * from[k];
               else
                 for (std::int64_t k = 0; k < count; ++k) to[k] += factor * from[k * stride];
             });
    }
}

/// A transposed convolution is the gradient of one that leads from its output to its input: `g` is that one.
template <typename T>
void transposed(const Geometry& g, std::int32_t dtype, const T* input, const T* weight, T* output,
                T* columns) {
  const std::int64_t channels = g.in_channels / g.groups, filters = g.out_channels / g.groups;
  const std::int64_t taps = channels * g.taps(), positions = g.positions();
  for (std::int64_t i = 0; i < g.batch * g.groups; ++i) {
    const Matrix left{const_cast<T*>(weight + (i % g.groups) * filters * taps), taps, filters, 1, taps};
    const Matrix right{const_cast<T*>(input + i * filters * positions), filters, positions, positions, 1};
    multiply(dtype, left, right, {columns, taps, positions, positions, 1});
    gather(g, columns, channels, output + i * channels * g.pixels());
  }
}

/// What both begin with: the output holds the bias, or 0.
template <typename T>
void fill(AtenTensorOpaque& out, const AtenTensorOpaque* bias, std::int64_t channels, std::int64_t pixels) {
  T* data = reinterpret_cast<T*>(out.data());
  for (std::int64_t n = 0; n < out.sizes[0]; ++n)
    for (std::int64_t c = 0; c < channels; ++c, data += pixels)
      std::fill(data, data + pixels,
                bias == nullptr ? T(0) : reinterpret_cast<const T*>(bias->data())[c * bias->strides[0]]);
}

template <typename T>
void run(const Geometry& g, bool is_transposed, const AtenTensorOpaque& input, const AtenTensorOpaque& weight,
         const AtenTensorOpaque* bias, AtenTensorOpaque& out) {
  const T* const in = elements<T>(input);
  const T* const kernel = elements<T>(weight);
  T* const to = elements<T>(out);
  fill<T>(out, bias, is_transposed ? g.in_channels : g.out_channels,
          is_transposed ? g.pixels() : g.positions());
  if (!is_transposed && g.depthwise()) return depthwise(g, in, kernel, to);
  const std::int64_t rows = is_transposed ? g.rows().count : pointwise(g) ? 0 : rows_at_once(g, sizeof(T));
  const Scratch columns(out.dtype, g.in_channels / g.groups * g.taps() * rows * g.out[2]);
  if (is_transposed)
    transposed(g, out.dtype, in, kernel, to, columns.data<T>());
  else
    forward(g, out.dtype, in, kernel, to, columns.data<T>());
}

/// Elements of 16 bits as float32, in which they are computed with.
class Widened {
 public:
  explicit Widened(const AtenTensorOpaque* tensor) {
    if (tensor == nullptr) return;
    tensor_ = make_tensor(kit::program::float32, tensor->rank, tensor->sizes);
    Contiguous plain(const_cast<AtenTensorOpaque*>(tensor));
    float* const to = elements<float>(*tensor_);
    for (std::int64_t i = 0; i < tensor->numel(); ++i)
      to[i] = tensor->dtype == bfloat16 ? static_cast<float>(elements<c10::BFloat16>(*plain)[i])
                                        : static_cast<float>(elements<c10::Half>(*plain)[i]);
  }
  Widened(const Widened&) = delete;
  Widened& operator=(const Widened&) = delete;
  ~Widened() { aoti_torch_delete_tensor_object(tensor_); }
  AtenTensorOpaque* get() const noexcept { return tensor_; }

 private:
  AtenTensorOpaque* tensor_ = nullptr;
};

void run_widened(const Geometry& g, bool is_transposed, const AtenTensorOpaque& input,
                 const AtenTensorOpaque& weight, const AtenTensorOpaque* bias, AtenTensorOpaque& out) {
  const Widened in(&input), kernel(&weight), added(bias), result(&out);
  run<float>(g, is_transposed, *in.get(), *kernel.get(), added.get(), *result.get());
  const float* const from = elements<float>(*result.get());
  for (std::int64_t i = 0; i < out.numel(); ++i) {
    if (out.dtype == bfloat16)
      elements<c10::BFloat16>(out)[i] = static_cast<c10::BFloat16>(from[i]);
    else
      elements<c10::Half>(out)[i] = static_cast<c10::Half>(from[i]);
  }
}

/// Whether images lie in memory channel after channel at each pixel, as ATen finds it: what could be either
/// lies row after row.
bool channels_last(const AtenTensorOpaque& images) {
  if (images.rank != 4 || images.strides[1] == 0) return false;
  std::int64_t least = 0;
  for (const int dim : {1, 3, 2, 0}) {
    if (images.sizes[dim] == 0 || images.strides[dim] < least) return false;
    if (dim == 0 && least == images.strides[1]) return false;
    least = images.strides[dim] * std::max(images.sizes[dim], std::int64_t{1});
  }
  return true;
}

/// Moves images from one order to the other: `last` says that the channels of `from` come last, else those of
/// `to`.
template <typename T>
void reorder(const AtenTensorOpaque& from, AtenTensorOpaque& to, bool last) {
  const std::int64_t channels = from.sizes[1], pixels = from.sizes[2] * from.sizes[3];
  const T* source = elements<T>(from);
  T* target = elements<T>(to);
  for (std::int64_t n = 0; n < from.sizes[0]; ++n, source += channels * pixels, target += channels * pixels)
    for (std::int64_t c = 0; c < channels; ++c)
      for (std::int64_t p = 0; p < pixels; ++p) {
        if (last)
          target[c * pixels + p] = source[p * channels + c];
        else
          target[p * channels + c] = source[c * pixels + p];
      }
}

void reorder(const AtenTensorOpaque& from, AtenTensorOpaque& to, bool last) {
  switch (item_size(from.dtype)) {
    case 2:
      return reorder<std::uint16_t>(from, to, last);
    case 4:
      return reorder<std::uint32_t>(from, to, last);
    default:
      return reorder<std::uint64_t>(from, to, last);
  }
}

/// Whether there are no gaps between images whose channels come last.
bool dense(const AtenTensorOpaque& images) {
  const std::int64_t channels = images.sizes[1], row = images.sizes[3] * channels;
  const std::int64_t strides[] = {row * images.sizes[2], 1, row, channels};
  for (int i = 0; i < 4; ++i)
    if (images.sizes[i] != 1 && images.strides[i] != strides[i]) return false;
  return true;
}

/// Images row after row: those that come, or a copy of them.
class Plain {
 public:
  explicit Plain(AtenTensorOpaque* images) {
    if (channels_last(*images) && dense(*images)) {
      copy_ = make_tensor(images->dtype, images->rank, images->sizes);
      reorder(*images, *copy_, true);
    }
    contiguous_.emplace(copy_ != nullptr ? copy_ : images);
  }
  Plain(const Plain&) = delete;
  Plain& operator=(const Plain&) = delete;
  ~Plain() { aoti_torch_delete_tensor_object(copy_); }
  AtenTensorOpaque& operator*() const noexcept { return **contiguous_; }
  AtenTensorOpaque* operator->() const noexcept { return &**contiguous_; }

 private:
  AtenTensorOpaque* copy_ = nullptr;
  std::optional<Contiguous> contiguous_;
};

/// A result in the order that ATen gives it.
AtenTensorOpaque* with_channels_last(AtenTensorOpaque* plain) {
  const std::int64_t* const sizes = plain->sizes;
  const std::int64_t row = sizes[3] * sizes[1];
  const std::int64_t strides[] = {row * sizes[2], 1, row, sizes[1]};
  AtenTensorOpaque* const result = make_tensor(plain->dtype, 4, sizes, strides);
  reorder(*plain, *result, false);
  aoti_torch_delete_tensor_object(plain);
  return result;
}

}  // namespace

AOTITorchError aoti_torch_cpu_convolution(AtenTensorHandle input, AtenTensorHandle weight,
                                          AtenTensorHandle* bias, const int64_t* stride, int64_t stride_len_,
                                          const int64_t* padding, int64_t padding_len_,
                                          const int64_t* dilation, int64_t dilation_len_, int32_t transposed,
                                          const int64_t* output_padding, int64_t output_padding_len_,
                                          int64_t groups, AtenTensorHandle* ret0) {
  return guarded([&] {
    const std::int32_t dims = input->rank - 2;
    if (dims < 1 || dims > most_dims)
      throw std::runtime_error("a convolution over " + std::to_string(dims) + " dimensions");
    const Plain in(input), kernel(weight);
    // Of the convolution, or of the one that a transposed one is the gradient of.
    Geometry g{};
    g.batch = in->sizes[0];
    g.groups = groups;
    g.in_channels = transposed ? kernel->sizes[1] * groups : in->sizes[1];
    g.out_channels = transposed ? in->sizes[1] : kernel->sizes[0];
    const auto at = [](const int64_t* values, int64_t length, int i) { return values[length == 1 ? 0 : i]; };
    std::int64_t sizes[2 + most_dims] = {g.batch, transposed ? g.in_channels : g.out_channels};
    for (int i = 0; i < most_dims; ++i) {
      const int own = i - (static_cast<int>(most_dims) - dims);
      const bool real = own >= 0;
      g.kernel[i] = real ? kernel->sizes[2 + own] : 1;
      g.stride[i] = real ? at(stride, stride_len_, own) : 1;
      g.padding[i] = real ? at(padding, padding_len_, own) : 0;
      g.dilation[i] = real ? at(dilation, dilation_len_, own) : 1;
      const std::int64_t size = real ? in->sizes[2 + own] : 1;
      const std::int64_t reach = g.dilation[i] * (g.kernel[i] - 1) + 1;
      if (transposed) {
        g.out[i] = size;
        g.in[i] = (size - 1) * g.stride[i] - 2 * g.padding[i] + reach +
                  (real ? at(output_padding, output_padding_len_, own) : 0);
      } else {
        g.in[i] = size;
        g.out[i] = (size + 2 * g.padding[i] - reach) / g.stride[i] + 1;
      }
      if (real) sizes[2 + own] = transposed ? g.in[i] : g.out[i];
    }
    *ret0 = make_tensor(in->dtype, input->rank, sizes);
    const AtenTensorOpaque* const added = bias != nullptr ? *bias : nullptr;
    if (in->dtype == kit::program::float32)
      run<float>(g, transposed != 0, *in, *kernel, added, **ret0);
    else if (in->dtype == kit::program::float64)
      run<double>(g, transposed != 0, *in, *kernel, added, **ret0);
    else if (in->dtype == bfloat16 || in->dtype == float16)
      run_widened(g, transposed != 0, *in, *kernel, added, **ret0);
    else
      throw std::runtime_error("a convolution of numbers that are not floating point");
    if (channels_last(*input) || channels_last(*weight)) *ret0 = with_channels_last(*ret0);
  });
}
