#include "channels_last.h"

#include <algorithm>

#include "elements.h"

namespace kit::program {
namespace {

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

}  // namespace

bool channels_last(const AtenTensorOpaque& images) noexcept {
  if (images.rank != 4 || images.strides[1] == 0) return false;
  std::int64_t least = 0;
  for (const int dim : {1, 3, 2, 0}) {
    if (images.sizes[dim] == 0 || images.strides[dim] < least) return false;
    if (dim == 0 && least == images.strides[1]) return false;
    least = images.strides[dim] * std::max(images.sizes[dim], std::int64_t{1});
  }
  return true;
}

Plain::Plain(AtenTensorOpaque* images) {
  if (channels_last(*images) && dense(*images)) {
    copy_ = make_tensor(images->dtype, images->rank, images->sizes);
    reorder(*images, *copy_, true);
  }
  contiguous_.emplace(copy_ != nullptr ? copy_ : images);
}

Plain::~Plain() { aoti_torch_delete_tensor_object(copy_); }

AtenTensorOpaque* with_channels_last(AtenTensorOpaque* plain) {
  const std::int64_t* const sizes = plain->sizes;
  const std::int64_t row = sizes[3] * sizes[1];
  const std::int64_t strides[] = {row * sizes[2], 1, row, sizes[1]};
  AtenTensorOpaque* const result = make_tensor(plain->dtype, 4, sizes, strides);
  reorder(*plain, *result, false);
  aoti_torch_delete_tensor_object(plain);
  return result;
}

}  // namespace kit::program
