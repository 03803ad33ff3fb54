// Convolutions, which Inductor leaves to ATen.

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>

#include <torch/csrc/inductor/aoti_torch/generated/c_shim_cpu.h>

#include "channels_last.h"
#include "depthwise.h"
#include "elements.h"
#include "geometry.h"
#include "matmul.h"
#include "panels.h"
#include "patches.h"
#include "prepared.h"
#include "winograd.h"

using namespace kit::program;

namespace {

/// Weights as a way to convolve wants them: made once of a constant, else in each call.
class Weights {
 public:
  /// fill(weights, to): makes `count` elements of the weights, row-major.
  template <typename T, typename Fill>
  Weights(AtenTensorOpaque& weight, const Geometry& g, const char* form, std::int64_t count, T, Fill&& fill) {
    const auto make = [&](void* to) {
      const Plain plain(&weight);
      fill(elements<T>(*plain), static_cast<T*>(to));
    };
    if (weight.prepared != nullptr) {
      Prepared::Key key{form, weight.data(), {g.groups}};
      std::copy_n(weight.sizes, weight.rank, key.numbers + 1);
      std::copy_n(weight.strides, weight.rank, key.numbers + 1 + weight.rank);
      data_ = weight.prepared->get(key, static_cast<std::size_t>(count) * sizeof(T), make);
      return;
    }
    own_.emplace(weight.dtype, count);
    make(own_->data<T>());
    data_ = own_->data<T>();
  }

  template <typename T>
  const T* data() const noexcept {
    return static_cast<const T*>(data_);
  }

 private:
  const void* data_ = nullptr;
  std::optional<Scratch> own_;
};

constexpr char packed_form[] = "packed", winograd_form[] = "winograd";

template <typename T>
void directly(const Geometry& g, const T* input, AtenTensorOpaque& weight, const T* bias, T* output) {
  const std::int64_t channels = g.in_channels / g.groups, filters = g.out_channels / g.groups;
  const std::int64_t depth = channels * g.taps();
  const Weights weights(weight, g, packed_form, g.out_channels * depth, T{}, [&](const T* from, T* to) {
    for (std::int64_t group = 0; group < g.groups; ++group)
      pack(from + group * filters * depth, filters, depth, depth, 1, to + group * filters * depth);
  });
  const Patches<T> patches(g);
  for (std::int64_t i = 0; i < g.batch * g.groups;
       ++i, input += channels * g.pixels(), output += filters * g.positions()) {
    const std::int64_t first = i % g.groups * filters;
    patches.convolve(input, weights.data<T>() + first * depth, bias != nullptr ? bias + first : nullptr,
                     output);
  }
}

/// Whether Winograd's way is the faster one. It needs other weights, which are worth making once only.
bool suits_winograd(const Geometry& g, const AtenTensorOpaque& weight) {
  constexpr std::int64_t least_channels = 16, least_tiles = 8;
  const std::int64_t tiles = (g.out[1] + 1) / 2 * ((g.out[2] + 1) / 2);
  const auto all_are = [](const std::int64_t* values, std::int64_t wanted) {
    return std::all_of(values, values + most_dims, [=](std::int64_t value) { return value == wanted; });
  };
  return weight.prepared != nullptr && g.kernel[0] == 1 && g.kernel[1] == 3 && g.kernel[2] == 3 &&
         g.in[0] == 1 && g.padding[0] == 0 && all_are(g.stride, 1) && all_are(g.dilation, 1) &&
         g.in_channels / g.groups >= least_channels && g.out_channels / g.groups >= least_channels &&
         tiles >= least_tiles && 16 * tiles * 4 < 9 * g.positions() * 3;
}

/// False if the values are none for it.
bool by_winograd(const Geometry& g, const float* input, AtenTensorOpaque& weight, const float* bias,
                 float* output) {
  const std::int64_t channels = g.in_channels / g.groups, filters = g.out_channels / g.groups;
  const std::int64_t size = winograd::weights_size(filters, channels);
  const Weights weights(weight, g, winograd_form, g.groups * size, float{},
                        [&](const float* from, float* to) {
                          for (std::int64_t group = 0; group < g.groups; ++group)
                            winograd::transform_weights(from + group * filters * channels * 9, filters,
                                                        channels, to + group * size);
                        });
  const winograd::Image image{channels, filters,  g.in[1],      g.in[2],
                              g.out[1], g.out[2], g.padding[1], g.padding[2]};
  const Scratch scratch(kit::program::float32, winograd::scratch_size(image));
  bool suited = true;
  for (std::int64_t i = 0; i < g.batch * g.groups && suited;
       ++i, input += channels * g.pixels(), output += filters * g.positions()) {
    const std::int64_t group = i % g.groups;
    suited =
        winograd::convolve(image, input, weights.data<float>() + group * size,
                           bias != nullptr ? bias + group * filters : nullptr, output, scratch.data<float>());
  }
  return suited;
}

/// The other way: adds each column to the pixel that it comes from.
template <typename T>
void gather(const Geometry& g, const T* columns, std::int64_t channels, T* input) {
  const std::int64_t positions = g.positions();
  for (std::int64_t channel = 0; channel < channels; ++channel, input += g.pixels()) {
    const T* const base = columns + channel * g.taps() * positions;
    walk(g, [&](std::int64_t tap, std::int64_t position, std::int64_t pixel, std::int64_t begin,
                std::int64_t end) {
      const T* const from = base + tap * positions + position;
      for (std::int64_t k = begin; k < end; ++k) input[pixel + (k - begin) * g.stride[2]] += from[k];
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

/// What it begins with: the output holds the bias, or 0.
template <typename T>
void fill(AtenTensorOpaque& out, const AtenTensorOpaque* bias, std::int64_t channels, std::int64_t pixels) {
  T* data = reinterpret_cast<T*>(out.data());
  for (std::int64_t n = 0; n < out.sizes[0]; ++n)
    for (std::int64_t c = 0; c < channels; ++c, data += pixels)
      std::fill(data, data + pixels,
                bias == nullptr ? T(0) : reinterpret_cast<const T*>(bias->data())[c * bias->strides[0]]);
}

template <typename T>
void run(const Geometry& g, bool is_transposed, const AtenTensorOpaque& input, AtenTensorOpaque& weight,
         AtenTensorOpaque* bias, AtenTensorOpaque& out) {
  const T* const in = elements<T>(input);
  T* const to = elements<T>(out);
  if (is_transposed) {
    const Plain kernel(&weight);
    fill<T>(out, bias, g.in_channels, g.pixels());
    const Scratch columns(out.dtype, g.in_channels / g.groups * g.taps() * g.positions());
    return transposed(g, out.dtype, in, elements<T>(*kernel), to, columns.data<T>());
  }
  std::optional<Contiguous> plain_bias;
  if (bias != nullptr) plain_bias.emplace(bias);
  const T* const added = bias != nullptr ? elements<T>(**plain_bias) : nullptr;
  if (g.depthwise()) {
    const Plain kernel(&weight);
    return Depthwise<T>(g).convolve(in, elements<T>(*kernel), added, to);
  }
  if constexpr (std::is_same_v<T, float>)
    if (suits_winograd(g, weight) && by_winograd(g, in, weight, added, to)) return;
  directly(g, in, weight, added, to);
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
    const Plain in(input);
    // Of the convolution, or of the one that a transposed one is the gradient of.
    Geometry g{};
    g.batch = in->sizes[0];
    g.groups = groups;
    g.in_channels = transposed ? weight->sizes[1] * groups : in->sizes[1];
    g.out_channels = transposed ? in->sizes[1] : weight->sizes[0];
    const auto at = [](const int64_t* values, int64_t length, int i) { return values[length == 1 ? 0 : i]; };
    std::int64_t sizes[2 + most_dims] = {g.batch, transposed ? g.in_channels : g.out_channels};
    for (int i = 0; i < most_dims; ++i) {
      const int own = i - (static_cast<int>(most_dims) - dims);
      const bool real = own >= 0;
      g.kernel[i] = real ? weight->sizes[2 + own] : 1;
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
    AtenTensorOpaque* const added = bias != nullptr ? *bias : nullptr;
    if (in->dtype == kit::program::float32)
      run<float>(g, transposed != 0, *in, *weight, added, **ret0);
    else if (in->dtype == kit::program::float64)
      run<double>(g, transposed != 0, *in, *weight, added, **ret0);
    else if (in->dtype == bfloat16 || in->dtype == float16)
      run_widened(g, transposed != 0, *in, *weight, added, **ret0);
    else
      throw std::runtime_error("a convolution of numbers that are not floating point");
    if (channels_last(*input) || channels_last(*weight)) *ret0 = with_channels_last(*ret0);
  });
}
