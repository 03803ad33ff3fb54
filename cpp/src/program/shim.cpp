// The functions of torch's C interface that ask tensors for what they are, make and copy them.

#include <cstring>
#include <stdexcept>

#include "tensor.h"

using namespace kit::program;

namespace {

/// Another handle for the same storage. A constant may be shared in any thread, a tensor in its call's.
AtenTensorOpaque* share(const AtenTensorOpaque& tensor) {
  Workspace& workspace = Workspace::current();
  AtenTensorOpaque* const other = workspace.tensor();
  Workspace* const home = other->home;
  *other = tensor;
  other->home = home;
  if (other->block != nullptr) ++other->block->references;
  return other;
}

}  // namespace

int32_t aoti_torch_device_type_cpu() { return 0; }
int32_t aoti_torch_device_type_cuda() { return 1; }
int32_t aoti_torch_layout_strided() { return 0; }
int32_t aoti_torch_memory_format_contiguous_format() { return 0; }
int32_t aoti_torch_memory_format_preserve_format() { return 1; }
int32_t aoti_torch_memory_format_channels_last() { return 2; }
int32_t aoti_torch_memory_format_channels_last_3d() { return 3; }

int32_t aoti_torch_dtype_uint8() { return kit::program::uint8; }
int32_t aoti_torch_dtype_uint16() { return kit::program::uint16; }
int32_t aoti_torch_dtype_uint32() { return kit::program::uint32; }
int32_t aoti_torch_dtype_uint64() { return kit::program::uint64; }
int32_t aoti_torch_dtype_int8() { return kit::program::int8; }
int32_t aoti_torch_dtype_int16() { return kit::program::int16; }
int32_t aoti_torch_dtype_int32() { return kit::program::int32; }
int32_t aoti_torch_dtype_int64() { return kit::program::int64; }
int32_t aoti_torch_dtype_float16() { return kit::program::float16; }
int32_t aoti_torch_dtype_bfloat16() { return kit::program::bfloat16; }
int32_t aoti_torch_dtype_float32() { return kit::program::float32; }
int32_t aoti_torch_dtype_float64() { return kit::program::float64; }
int32_t aoti_torch_dtype_bool() { return kit::program::boolean; }
int32_t aoti_torch_dtype_complex32() { return kit::program::complex32; }
int32_t aoti_torch_dtype_complex64() { return kit::program::complex64; }
int32_t aoti_torch_dtype_complex128() { return kit::program::complex128; }

size_t aoti_torch_dtype_element_size(int32_t dtype) { return static_cast<size_t>(item_size(dtype)); }

bool aoti_torch_grad_mode_is_enabled() { return false; }
void aoti_torch_grad_mode_set_enabled(bool) {}

AOTITorchError aoti_torch_delete_tensor_object(AtenTensorHandle tensor) {
  if (tensor == nullptr) return AOTI_TORCH_SUCCESS;
  if (Block* const block = tensor->block; block != nullptr && --block->references == 0)
    block->home->give_back(block);
  if (tensor->home != nullptr)
    tensor->home->give_back(tensor);
  else {
    delete tensor->prepared;
    delete tensor;
  }
  return AOTI_TORCH_SUCCESS;
}

AOTITorchError aoti_torch_get_data_ptr(AtenTensorHandle tensor, void** result) {
  *result = tensor->data();
  return AOTI_TORCH_SUCCESS;
}

AOTITorchError aoti_torch_get_storage_size(AtenTensorHandle tensor, int64_t* result) {
  *result = tensor->storage_bytes;
  return AOTI_TORCH_SUCCESS;
}

AOTITorchError aoti_torch_get_storage_numel(AtenTensorHandle tensor, int64_t* result) {
  return guarded([&] { *result = tensor->storage_bytes / item_size(tensor->dtype); });
}

AOTITorchError aoti_torch_get_dim(AtenTensorHandle tensor, int64_t* result) {
  *result = tensor->rank;
  return AOTI_TORCH_SUCCESS;
}

AOTITorchError aoti_torch_get_numel(AtenTensorHandle tensor, int64_t* result) {
  *result = tensor->numel();
  return AOTI_TORCH_SUCCESS;
}

AOTITorchError aoti_torch_get_sizes(AtenTensorHandle tensor, int64_t** result) {
  *result = tensor->sizes;
  return AOTI_TORCH_SUCCESS;
}

AOTITorchError aoti_torch_get_size(AtenTensorHandle tensor, int64_t dim, int64_t* result) {
  *result = tensor->sizes[dim];
  return AOTI_TORCH_SUCCESS;
}

AOTITorchError aoti_torch_get_strides(AtenTensorHandle tensor, int64_t** result) {
  *result = tensor->strides;
  return AOTI_TORCH_SUCCESS;
}

AOTITorchError aoti_torch_get_stride(AtenTensorHandle tensor, int64_t dim, int64_t* result) {
  *result = tensor->strides[dim];
  return AOTI_TORCH_SUCCESS;
}

AOTITorchError aoti_torch_get_dtype(AtenTensorHandle tensor, int32_t* result) {
  *result = tensor->dtype;
  return AOTI_TORCH_SUCCESS;
}

AOTITorchError aoti_torch_get_device_type(AtenTensorHandle, int32_t* result) {
  *result = aoti_torch_device_type_cpu();
  return AOTI_TORCH_SUCCESS;
}

AOTITorchError aoti_torch_get_device_index(AtenTensorHandle, int32_t* result) {
  *result = 0;
  return AOTI_TORCH_SUCCESS;
}

AOTITorchError aoti_torch_get_layout(AtenTensorHandle, int32_t* result) {
  *result = aoti_torch_layout_strided();
  return AOTI_TORCH_SUCCESS;
}

AOTITorchError aoti_torch_get_storage_offset(AtenTensorHandle tensor, int64_t* result) {
  *result = tensor->offset;
  return AOTI_TORCH_SUCCESS;
}

AOTITorchError aoti_torch_is_contiguous(AtenTensorHandle tensor, bool* result) {
  *result = tensor->contiguous();
  return AOTI_TORCH_SUCCESS;
}

AOTITorchError aoti_torch_is_defined(AtenTensorHandle tensor, bool* result) {
  *result = tensor != nullptr;
  return AOTI_TORCH_SUCCESS;
}

AOTITorchError aoti_torch_new_tensor_handle(AtenTensorHandle tensor, AtenTensorHandle* result) {
  return guarded([&] { *result = share(*tensor); });
}

AOTITorchError aoti_torch_empty_strided(int64_t ndim, const int64_t* sizes, const int64_t* strides,
                                        int32_t dtype, int32_t, int32_t, AtenTensorHandle* result) {
  return guarded([&] { *result = make_tensor(dtype, ndim, sizes, strides); });
}

AOTITorchError aoti_torch__reinterpret_tensor(AtenTensorHandle self, int64_t ndim, const int64_t* sizes,
                                              const int64_t* strides, int64_t storage_offset,
                                              AtenTensorHandle* result) {
  return guarded([&] {
    AtenTensorOpaque* const tensor = share(*self);
    *result = tensor;
    set_view(*tensor, ndim, sizes, strides);
    tensor->offset = storage_offset;
  });
}

AOTITorchError aoti_torch_as_strided(AtenTensorHandle self, const int64_t* sizes, const int64_t* strides,
                                     AtenTensorHandle* result) {
  return aoti_torch__reinterpret_tensor(self, self->rank, sizes, strides, self->offset, result);
}

AOTITorchError aoti_torch__alloc_from_pool(AtenTensorHandle self, int64_t offset_bytes, int32_t dtype,
                                           int64_t ndim, const int64_t* sizes, const int64_t* strides,
                                           AtenTensorHandle* result) {
  return guarded([&] {
    AtenTensorOpaque* const tensor = share(*self);
    *result = tensor;
    tensor->base += offset_bytes;
    tensor->offset = 0;
    tensor->storage_bytes -= offset_bytes;
    tensor->dtype = dtype;
    set_view(*tensor, ndim, sizes, strides);
  });
}

/// Constants, which live as long as the program, and views of memory of the caller's.
AOTITorchError aoti_torch_create_tensor_from_blob_v2(void* data, int64_t ndim, const int64_t* sizes,
                                                     const int64_t* strides, int64_t storage_offset,
                                                     int32_t dtype, int32_t, int32_t,
                                                     AtenTensorHandle* result, int32_t, const uint8_t*,
                                                     int64_t) {
  return guarded([&] {
    auto tensor =
        new AtenTensorOpaque{.base = static_cast<std::byte*>(data), .offset = storage_offset, .dtype = dtype};
    *result = tensor;
    tensor->prepared = new Prepared;
    set_view(*tensor, ndim, sizes, strides);
    for (std::int32_t i = 0; i < tensor->rank; ++i)
      tensor->storage_bytes += (tensor->sizes[i] - 1) * tensor->strides[i];
    tensor->storage_bytes =
        tensor->numel() == 0 ? 0 : (tensor->storage_bytes + storage_offset + 1) * item_size(dtype);
  });
}

AOTITorchError aoti_torch_create_tensor_from_blob(void* data, int64_t ndim, const int64_t* sizes,
                                                  const int64_t* strides, int64_t storage_offset,
                                                  int32_t dtype, int32_t device_type, int32_t device_index,
                                                  AtenTensorHandle* result) {
  return aoti_torch_create_tensor_from_blob_v2(data, ndim, sizes, strides, storage_offset, dtype, device_type,
                                               device_index, result, 0, nullptr, 0);
}

AOTITorchError aoti_torch_clone(AtenTensorHandle self, AtenTensorHandle* result) {
  return guarded([&] {
    *result = make_tensor(self->dtype, self->rank, self->sizes);
    copy_elements(*self, **result);
  });
}

AOTITorchError aoti_torch_clone_preserve_strides(AtenTensorHandle self, AtenTensorHandle* result) {
  return guarded([&] {
    *result = make_tensor(self->dtype, self->rank, self->sizes, self->strides);
    copy_elements(*self, **result);
  });
}

AOTITorchError aoti_torch_copy_(AtenTensorHandle self, AtenTensorHandle src, int32_t) {
  return guarded([&] { copy_elements(*src, *self); });
}

AOTITorchError aoti_torch_assign_tensors_out(AtenTensorHandle src, AtenTensorHandle* result) {
  return aoti_torch_new_tensor_handle(src, result);
}

AOTITorchError aoti_torch_zero_(AtenTensorHandle self) {
  return guarded([&] {
    if (!self->contiguous()) throw std::runtime_error("a tensor with gaps was to be filled with zeros");
    const std::int64_t bytes = self->numel() * item_size(self->dtype);
    if (bytes != 0) std::memset(self->data(), 0, static_cast<std::size_t>(bytes));
  });
}

#define KIT_ITEM(name, type)                                                      \
  AOTITorchError aoti_torch_item_##name(AtenTensorHandle tensor, type* result) {  \
    return guarded([&] { std::memcpy(result, tensor->data(), sizeof *result); }); \
  }
KIT_ITEM(float32, float)
KIT_ITEM(float64, double)
KIT_ITEM(uint8, uint8_t)
KIT_ITEM(uint16, uint16_t)
KIT_ITEM(uint32, uint32_t)
KIT_ITEM(uint64, uint64_t)
KIT_ITEM(int8, int8_t)
KIT_ITEM(int16, int16_t)
KIT_ITEM(int32, int32_t)
KIT_ITEM(int64, int64_t)
KIT_ITEM(bool, bool)

void aoti_torch_check(bool condition, const char*, const char*, uint32_t, const char* message) {
  if (!condition) throw std::runtime_error(message);
}

void aoti_torch_warn(const char*, const char*, uint32_t, const char*) {}
