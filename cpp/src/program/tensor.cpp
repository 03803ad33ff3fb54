#include "tensor.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <stdexcept>

using kit::program::item_size;

std::byte* AtenTensorOpaque::data() const noexcept {
  return base == nullptr ? nullptr : base + offset * item_size(dtype);
}

std::int64_t AtenTensorOpaque::numel() const noexcept {
  std::int64_t count = 1;
  for (std::int32_t i = 0; i < rank; ++i) count *= sizes[i];
  return count;
}

bool AtenTensorOpaque::contiguous() const noexcept {
  std::int64_t expected = 1;
  for (std::int32_t i = rank - 1; i >= 0; --i) {
    if (sizes[i] == 0) return true;
    if (sizes[i] != 1 && strides[i] != expected) return false;
    expected *= sizes[i];
  }
  return true;
}

namespace kit::program {
namespace {

// Nothing with a destructor: that would keep the program mapped until the thread ends.
thread_local char error_of_thread[1024] = "";

}  // namespace

void set_error(const char* message) noexcept {
  if (*message == '\0')  // what each call begins with
    *error_of_thread = '\0';
  else
    std::snprintf(error_of_thread, sizeof error_of_thread, "%s", message);
}

const char* last_error() noexcept { return error_of_thread; }

std::int64_t item_size(std::int32_t dtype) {
  switch (dtype) {
    case uint8:
    case int8:
    case boolean:
      return 1;
    case int16:
    case uint16:
    case float16:
    case bfloat16:
      return 2;
    case int32:
    case uint32:
    case float32:
    case complex32:
      return 4;
    case int64:
    case uint64:
    case float64:
    case complex64:
      return 8;
    case complex128:
      return 16;
    default:
      throw std::runtime_error("the program has a dtype that archives do not have");
  }
}

void set_view(AtenTensorOpaque& tensor, std::int64_t rank, const std::int64_t* sizes,
              const std::int64_t* strides) {
  if (rank > AtenTensorOpaque::max_rank)
    throw std::runtime_error("a tensor has more than " + std::to_string(AtenTensorOpaque::max_rank) +
                             " dimensions");
  tensor.rank = static_cast<std::int32_t>(rank);
  std::copy_n(sizes, rank, tensor.sizes);
  if (strides != nullptr) {
    std::copy_n(strides, rank, tensor.strides);
    return;
  }
  std::int64_t stride = 1;
  for (std::int64_t i = rank - 1; i >= 0; --i) {
    tensor.strides[i] = stride;
    stride *= std::max(sizes[i], std::int64_t{1});
  }
}

AtenTensorOpaque* make_tensor(std::int32_t dtype, std::int64_t rank, const std::int64_t* sizes,
                              const std::int64_t* strides) {
  Workspace& workspace = Workspace::current();
  AtenTensorOpaque* const tensor = workspace.tensor();
  try {
    set_view(*tensor, rank, sizes, strides);
    std::int64_t last = 0;
    bool empty = false;
    for (std::int64_t i = 0; i < rank; ++i) {
      empty = empty || sizes[i] == 0;
      last += (sizes[i] - 1) * tensor->strides[i];
    }
    tensor->dtype = dtype;
    tensor->offset = 0;
    tensor->storage_bytes = empty ? 0 : (last + 1) * item_size(dtype);
    tensor->block = workspace.allocate(static_cast<std::size_t>(tensor->storage_bytes));
    tensor->base = tensor->block->data;
  } catch (...) {
    workspace.give_back(tensor);
    throw;
  }
  return tensor;
}

namespace {

/// Copies dimension by dimension; the innermost, if it has no gaps, at once.
void copy_dim(const AtenTensorOpaque& from, AtenTensorOpaque& to, std::int32_t dim, const std::byte* source,
              std::byte* target, std::int64_t item) {
  if (dim == from.rank) {
    std::memcpy(target, source, static_cast<std::size_t>(item));
    return;
  }
  const std::int64_t step = from.strides[dim] * item, out = to.strides[dim] * item;
  if (dim == from.rank - 1 && step == item && out == item) {
    std::memcpy(target, source, static_cast<std::size_t>(item * from.sizes[dim]));
    return;
  }
  for (std::int64_t i = 0; i < from.sizes[dim]; ++i)
    copy_dim(from, to, dim + 1, source + i * step, target + i * out, item);
}

std::string described(const AtenTensorOpaque& tensor) {
  std::string result = "a tensor of dtype " + std::to_string(tensor.dtype) + " and shape [";
  for (std::int32_t i = 0; i < tensor.rank; ++i)
    result += (i == 0 ? "" : ", ") + std::to_string(tensor.sizes[i]);
  return result + "]";
}

}  // namespace

void copy_elements(const AtenTensorOpaque& from, AtenTensorOpaque& to) {
  if (from.dtype != to.dtype || from.rank != to.rank ||
      !std::equal(from.sizes, from.sizes + from.rank, to.sizes))
    throw std::runtime_error("elements were to be copied from " + described(from) + " to " + described(to));
  const std::int64_t count = from.numel();
  if (count == 0) return;
  const std::int64_t item = item_size(from.dtype);
  if (from.contiguous() && to.contiguous())
    std::memmove(to.data(), from.data(), static_cast<std::size_t>(count * item));
  else
    copy_dim(from, to, 0, from.data(), to.data(), item);
}

Contiguous::Contiguous(AtenTensorOpaque* tensor) : tensor_(tensor), copied_(!tensor->contiguous()) {
  if (!copied_) return;
  tensor_ = make_tensor(tensor->dtype, tensor->rank, tensor->sizes);
  copy_elements(*tensor, *tensor_);
}

Contiguous::~Contiguous() {
  if (copied_) aoti_torch_delete_tensor_object(tensor_);
}

}  // namespace kit::program
