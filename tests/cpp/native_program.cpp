/// A native program as the tests need it, written by hand: y = x * weight + bias for float32[batch, 2], where
/// the weights are its one constant, and the bias is in its code. The tests patch what it says of itself.

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <new>

#define KIT_PROGRAM_API __attribute__((visibility("default")))
#include <kit/program.h>

namespace {

/// Found by its mark in the file, and patched there.
struct Settings {
  char mark[8];
  std::uint32_t abi;
  float bias;
};

const volatile Settings settings{{'K', 'I', 'T', 'T', 'E', 'S', 'T', '\0'}, KIT_PROGRAM_ABI, 0};

thread_local char last_error[128];

int fail(int code, const char* what, const char* name) {
  std::snprintf(last_error, sizeof last_error, what, name);
  return code;
}

bool is_pairs(const KitTensor& tensor) {
  return tensor.dtype_code == 2 && tensor.dtype_bits == 32 && tensor.dtype_lanes == 1 &&
         tensor.device_type == 1 && tensor.ndim == 2 && tensor.shape[1] == 2;
}

}  // namespace

struct KitProgram {
  const float* weights;
};

std::uint32_t kit_program_abi(void) { return settings.abi; }

const char* kit_program_description(void) {
  return R"({"model": "test", "method": "forward", "target": "x86-64-v2", "torch": "2.13.0", "constants": [8]})";
}

KitProgram* kit_program_create(const KitConstant* constants, size_t count) {
  if (count != 1 || constants[0].size != 8 || reinterpret_cast<std::uintptr_t>(constants[0].data) % 64 != 0) {
    fail(KIT_PROGRAM_UNAVAILABLE, "%s", "the constants are not as they should be");
    return nullptr;
  }
  return new (std::nothrow) KitProgram{static_cast<const float*>(constants[0].data)};
}

int kit_program_run(KitProgram* program, const KitTensor* inputs, size_t input_count,
                    const KitTensor* outputs, size_t output_count) {
  if (input_count != 1 || output_count != 1) return fail(KIT_PROGRAM_INTERNAL, "%s", "a wrong count");
  const KitTensor& x = inputs[0];
  const KitTensor& y = outputs[0];
  if (!is_pairs(x)) return fail(KIT_PROGRAM_INPUT, "input '%s' does not fit", "x");
  if (!is_pairs(y) || y.shape[0] != x.shape[0] || y.strides != nullptr)
    return fail(KIT_PROGRAM_INPUT, "output '%s' does not fit", "y");
  const auto* from = static_cast<const float*>(x.data);
  auto* to = static_cast<float*>(y.data);
  const std::int64_t row = x.strides == nullptr ? 2 : x.strides[0];
  const std::int64_t column = x.strides == nullptr ? 1 : x.strides[1];
  for (std::int64_t i = 0; i < x.shape[0]; ++i)
    for (std::int64_t j = 0; j < 2; ++j)
      to[2 * i + j] = from[i * row + j * column] * program->weights[j] + settings.bias;
  // What the tests ask for by the first number.
  if (from[0] == -1) return fail(KIT_PROGRAM_INTERNAL, "%s", "a\nfault");
  if (from[0] == -2) return fail(KIT_PROGRAM_UNAVAILABLE, "%s", "there is not enough memory");
  if (from[0] == -3) std::memcpy(to, &program->weights, sizeof program->weights);
  return KIT_PROGRAM_OK;
}

const char* kit_program_last_error(void) { return last_error; }

void kit_program_destroy(KitProgram* program) { delete program; }
