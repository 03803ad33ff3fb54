// Complex numbers seen as pairs of real ones, and back: views of the same memory. The exporter has all that
// is computed with complex numbers said in real ones: python/kit/programs/complex_numbers.py.

#include <stdexcept>

#include <torch/csrc/inductor/aoti_torch/generated/c_shim_cpu.h>

#include "tensor.h"

using namespace kit::program;

namespace {

AtenTensorOpaque* same_memory(AtenTensorHandle self, std::int32_t dtype, std::int32_t rank) {
  std::int64_t sizes[AtenTensorOpaque::max_rank + 1], strides[AtenTensorOpaque::max_rank + 1];
  const bool to_real = rank > self->rank;
  for (std::int32_t i = 0; i < (to_real ? self->rank : rank); ++i) {
    sizes[i] = self->sizes[i];
    strides[i] = to_real ? self->strides[i] * 2 : self->strides[i] / 2;
  }
  if (to_real) {
    sizes[self->rank] = 2;
    strides[self->rank] = 1;
  }
  AtenTensorOpaque* result = nullptr;
  const std::int64_t offset = to_real ? self->offset * 2 : self->offset / 2;
  if (aoti_torch__reinterpret_tensor(self, rank, sizes, strides, offset, &result) != AOTI_TORCH_SUCCESS)
    throw std::runtime_error(last_error());
  result->dtype = dtype;
  return result;
}

}  // namespace

AOTITorchError aoti_torch_cpu_view_as_real(AtenTensorHandle self, AtenTensorHandle* ret0) {
  return guarded([&] {
    *ret0 = same_memory(self, self->dtype == complex128 ? kit::program::float64 : kit::program::float32,
                        self->rank + 1);
  });
}

AOTITorchError aoti_torch_cpu_view_as_complex(AtenTensorHandle self, AtenTensorHandle* ret0) {
  return guarded([&] {
    const std::int32_t last = self->rank - 1;
    bool fits = last >= 0 && self->sizes[last] == 2 && self->strides[last] == 1 && self->offset % 2 == 0;
    for (std::int32_t i = 0; fits && i < last; ++i) fits = self->strides[i] % 2 == 0 || self->sizes[i] < 2;
    if (!fits) throw std::runtime_error("a tensor does not lie in memory as complex numbers do");
    *ret0 = same_memory(self, self->dtype == kit::program::float64 ? complex128 : complex64, last);
  });
}
