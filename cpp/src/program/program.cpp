// The C interface of a native program. It is compiled in one file with the code that AOTInductor generated
// and with kit_program_info.h, which the exporter writes from the signature: see
// python/kit/programs/native.py.

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include <torch/csrc/inductor/aoti_runtime/model.h>

#define KIT_PROGRAM_API __attribute__((visibility("default")))
#include <kit/program.h>

#include "kit_program_info.h"
#include "own_file.h"
#include "tensor.h"

// The constants are not in the program: the generated code only wants the name to be there.
std::uint8_t _binary_constants_bin_start[1] = {};
std::uint8_t _binary_constants_bin_end[1] = {};

namespace {

using namespace kit::program;
using torch::aot_inductor::AOTInductorModel;
using torch::aot_inductor::ConstantMap;

/// What the caller got wrong; everything else that is thrown is a fault of kit's.
struct InputFault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What stops generated code is in the values of the inputs, such as an index out of bounds, or the memory.
[[noreturn]] void refuse(const char* thrown) {
  // What a function that it called has said is more than that the function failed.
  const std::string reason = *last_error() == '\0' ? thrown : last_error();
  if (reason == no_memory) throw std::bad_alloc();
  throw InputFault(reason);
}

std::string text(const std::int64_t* sizes, std::int64_t rank) {
  std::string result = "[";
  for (std::int64_t i = 0; i < rank; ++i) result += (i == 0 ? "" : ", ") + std::to_string(sizes[i]);
  return result + "]";
}

std::string wanted(const info::Spec& spec) {
  std::string result = std::string(spec.dtype) + "[";
  for (std::int32_t i = 0; i < spec.rank; ++i) {
    const std::int64_t entry = spec.shape[i];
    result +=
        (i == 0 ? "" : ", ") + (entry < 0 ? std::string(info::dims[~entry].name) : std::to_string(entry));
  }
  return result + "]";
}

std::string came(const KitTensor& tensor) {
  static constexpr const char* codes[] = {"int", "uint", "float", nullptr, "bfloat", "complex"};
  const std::uint8_t code = tensor.dtype_code;
  std::string result = "a dtype of code " + std::to_string(code) + " ";
  if (code == 6)
    result = "bool";
  else if (code < std::size(codes) && codes[code] != nullptr)
    result = codes[code] + std::to_string(tensor.dtype_bits);
  if (tensor.dtype_lanes != 1) result += "x" + std::to_string(tensor.dtype_lanes);
  return result + (tensor.shape != nullptr || tensor.ndim == 0 ? text(tensor.shape, tensor.ndim) : "");
}

[[noreturn]] void refuse(const char* kind, const info::Spec& spec, const KitTensor& tensor,
                         const std::string& why) {
  throw InputFault(std::string(kind) + " '" + spec.name + "': " + why + ": wanted " + wanted(spec) +
                   ", came " + came(tensor));
}

/// Sizes of the dims as they are met; -1 until then.
using Sizes = std::array<std::int64_t, info::dim_count + 1>;

void check(const char* kind, const info::Spec& spec, const KitTensor& tensor, Sizes& sizes) {
  if (tensor.device_type != 1)
    refuse(kind, spec, tensor, "it is not on the CPU, on which alone the program runs");
  if (tensor.dtype_code != spec.code || tensor.dtype_bits != spec.bits || tensor.dtype_lanes != 1)
    refuse(kind, spec, tensor, "another dtype");
  if (tensor.ndim != spec.rank) refuse(kind, spec, tensor, "another number of dimensions");
  if (tensor.shape == nullptr && spec.rank != 0) refuse(kind, spec, tensor, "its shape is null");
  std::int64_t count = 1;
  for (std::int32_t i = 0; i < spec.rank; ++i) {
    const std::int64_t size = tensor.shape[i], entry = spec.shape[i];
    count *= size;
    if (entry >= 0) {
      if (size != entry) refuse(kind, spec, tensor, "another size");
      continue;
    }
    const info::Dim& dim = info::dims[~entry];
    if (size < dim.min || size > dim.max)
      refuse(
          kind, spec, tensor,
          std::string(dim.name) + " is not in " + std::to_string(dim.min) + ".." + std::to_string(dim.max));
    std::int64_t& known = sizes[static_cast<std::size_t>(~entry)];
    if (known >= 0 && known != size)
      refuse(kind, spec, tensor, std::string(dim.name) + " is " + std::to_string(known) + " elsewhere");
    known = size;
  }
  if (tensor.data == nullptr && count != 0) refuse(kind, spec, tensor, "its data is null");
}

/// Whether a dim is 0 and so are the outputs. The generated code divides by sizes and must not see that one.
bool nothing_to_compute(const Sizes& sizes, const KitTensor* outputs) {
  const auto empty = std::find(sizes.begin(), sizes.begin() + info::dim_count, 0);
  if (empty == sizes.begin() + info::dim_count) return false;
  for (std::size_t i = 0; i < info::output_count; ++i)
    if (std::find(outputs[i].shape, outputs[i].shape + outputs[i].ndim, 0) ==
        outputs[i].shape + outputs[i].ndim)
      throw InputFault(std::string(info::dims[empty - sizes.begin()].name) + " is 0, and output '" +
                       info::outputs[i].name + "' is not empty: a native program does not compute that");
  return true;
}

/// A view of what the caller gave.
AtenTensorOpaque* view(Workspace& workspace, const KitTensor& given, const info::Spec& spec) {
  AtenTensorOpaque* const tensor = workspace.tensor();
  set_view(*tensor, given.ndim, given.shape, given.strides);
  tensor->base = static_cast<std::byte*>(given.data) + given.byte_offset;
  tensor->offset = 0;
  tensor->dtype = spec.torch_dtype;
  tensor->storage_bytes = tensor->numel() * item_size(spec.torch_dtype);
  return tensor;
}

/// Gives back what a call holds, however it ends.
template <std::size_t Count>
struct Handles : std::array<AtenTensorHandle, Count> {
  Handles() : std::array<AtenTensorHandle, Count>{} {}
  Handles(const Handles&) = delete;
  Handles& operator=(const Handles&) = delete;
  ~Handles() {
    for (AtenTensorHandle handle : *this) aoti_torch_delete_tensor_object(handle);
  }
};

class Call {
 public:
  explicit Call(Workspaces& all) : all_(all), workspace_(all.take()) { workspace_->begin(); }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() {
    workspace_->end();
    all_.give_back(workspace_);
  }
  Workspace& workspace() { return *workspace_; }

 private:
  Workspaces& all_;
  Workspace* workspace_;
};

}  // namespace

struct KitProgram {
  KitProgram()
      : model(std::make_shared<ConstantMap>(),
              std::make_shared<std::vector<torch::aot_inductor::ConstantHandle>>(), "cpu", std::nullopt),
        workspaces(info::output_count) {}

  void run(const KitTensor* inputs, const KitTensor* outputs);
  void bind(const KitConstant* constants);

  kit::program::OwnFile file;
  AOTInductorModel model;
  Workspaces workspaces;
};

/// Lets the generated code see the constants where they are. Those that it has a name for but never reads
/// have no memory.
void KitProgram::bind(const KitConstant* constants) {
  auto map = std::make_shared<ConstantMap>();
  for (std::size_t i = 0; i < model.num_constants(); ++i) {
    const std::size_t index = info::constant_of[i];
    void* const data = index == info::unused ? nullptr : const_cast<void*>(constants[index].data);
    AtenTensorHandle handle = nullptr;
    aoti_torch_create_tensor_from_blob_v2(
        data, static_cast<std::int64_t>(model.constant_ndim(i)), model.constant_shape(i),
        model.constant_stride(i), info::offset_of[i], model.constant_dtype(i), 0, 0, &handle, 0, nullptr, 0);
    if (handle == nullptr) throw std::runtime_error(last_error());
    map->emplace(model.constant_name(i), handle);
  }
  model.update_constants_map(std::move(map));
}

void KitProgram::run(const KitTensor* inputs, const KitTensor* outputs) {
  Sizes sizes;
  sizes.fill(-1);
  for (std::size_t i = 0; i < info::input_count; ++i) check("input", info::inputs[i], inputs[i], sizes);
  for (std::size_t i = 0; i < info::output_count; ++i) check("output", info::outputs[i], outputs[i], sizes);
  if (nothing_to_compute(sizes, outputs)) return;

  Call call(workspaces);
  Workspace& workspace = call.workspace();
  Handles<info::output_count> targets, results;
  for (std::size_t i = 0; i < info::output_count; ++i) {
    targets[i] = view(workspace, outputs[i], info::outputs[i]);
    if (!targets[i]->contiguous()) refuse("output", info::outputs[i], outputs[i], "its strides leave gaps");
    Destination& destination = workspace.destination(i);
    destination.data = targets[i]->data();
    destination.bytes = static_cast<std::size_t>(targets[i]->storage_bytes);
  }
  // The generated code takes the handles of the inputs, and counts on their being row-major.
  Handles<info::input_count> given;
  for (std::size_t i = 0; i < info::input_count; ++i) {
    AtenTensorOpaque* const tensor = view(workspace, inputs[i], info::inputs[i]);
    given[i] = tensor;
    if (tensor->contiguous()) {
      set_view(*tensor, tensor->rank, inputs[i].shape, nullptr);
      continue;
    }
    given[i] = make_tensor(tensor->dtype, tensor->rank, tensor->sizes);
    copy_elements(*tensor, *given[i]);
    aoti_torch_delete_tensor_object(tensor);
  }
  AtenTensorHandle taken[info::input_count + 1] = {};
  for (std::size_t i = 0; i < info::input_count; ++i) taken[i] = std::exchange(given[i], nullptr);
  try {
    workspace.lend(true);
    model.run_impl(taken, results.data(), nullptr, nullptr);
    workspace.lend(false);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    refuse(error.what());
  }
  // The generated code does not look at what all functions return.
  if (*last_error() != '\0') refuse(last_error());
  // What the model returns twice comes as one handle twice.
  for (std::size_t i = 1; i < info::output_count; ++i) {
    if (std::find(results.begin(), results.begin() + i, results[i]) == results.begin() + i) continue;
    const AtenTensorHandle same = results[i];
    results[i] = nullptr;
    if (aoti_torch_new_tensor_handle(same, &results[i]) != AOTI_TORCH_SUCCESS)
      throw std::runtime_error(last_error());
  }

  const auto in_place = [&](std::size_t i) {
    return results[i]->data() == targets[i]->data() && results[i]->contiguous();
  };
  // A result that lies otherwise in memory of the caller's would be overwritten while it is copied.
  for (std::size_t i = 0; i < info::output_count; ++i) {
    AtenTensorOpaque*& result = results[i];
    if (result->block == nullptr || !result->block->lent || in_place(i)) continue;
    AtenTensorOpaque* const copy = make_tensor(result->dtype, result->rank, result->sizes);
    copy_elements(*result, *copy);
    aoti_torch_delete_tensor_object(result);
    result = copy;
    workspace.destination(i).ordinal = 0;
  }
  for (std::size_t i = 0; i < info::output_count; ++i) {
    AtenTensorOpaque& result = *results[i];
    AtenTensorOpaque& target = *targets[i];
    if (in_place(i)) continue;
    copy_elements(result, target);
    // Found where it is made, if it is all of an allocation: from the next call on it is made in place.
    const bool whole = result.block != nullptr && result.offset == 0 && result.base == result.block->data &&
                       result.contiguous() && result.storage_bytes == target.storage_bytes;
    workspace.destination(i).ordinal = whole ? result.block->ordinal : 0;
  }
}

namespace {

/// Runs what a function of the interface does, and gives the code of what it threw.
template <typename Function>
int coded(Function&& function) noexcept {
  set_error("");
  try {
    function();
    return KIT_PROGRAM_OK;
  } catch (const InputFault& fault) {
    set_error(fault.what());
    return KIT_PROGRAM_INPUT;
  } catch (const OwnFileFault& fault) {
    set_error(fault.what());
    return KIT_PROGRAM_UNAVAILABLE;
  } catch (const std::bad_alloc&) {
    set_error(no_memory);
    return KIT_PROGRAM_UNAVAILABLE;
  } catch (const std::exception& error) {
    if (*last_error() == '\0') set_error(error.what());
    return std::strcmp(last_error(), no_memory) == 0 ? KIT_PROGRAM_UNAVAILABLE : KIT_PROGRAM_INTERNAL;
  } catch (...) {
    set_error("something was thrown that is no exception");
    return KIT_PROGRAM_INTERNAL;
  }
}

}  // namespace

uint32_t kit_program_abi() { return KIT_PROGRAM_ABI; }

const char* kit_program_description() { return info::description; }

namespace {

/// Whether the CPU has the instructions of the level that this is compiled for; the rest of a level comes
/// with these.
inline bool can_run() noexcept {
#if defined(__AVX512F__)
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
         __builtin_cpu_supports("avx512cd") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
         __builtin_cpu_supports("avx512vl") != 0;
#elif defined(__AVX2__)
  return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 &&
         __builtin_cpu_supports("bmi2") != 0;
#else
  return __builtin_cpu_supports("sse4.2") != 0 && __builtin_cpu_supports("popcnt") != 0;
#endif
}

[[gnu::noinline]] KitProgram* create(const KitConstant* constants, std::size_t count) {
  std::unique_ptr<KitProgram> program;
  const int status = coded([&] {
    program = std::make_unique<KitProgram>();
    if (constants == nullptr && count == 0 && info::constant_count != 0) {
      program->file = OwnFile(info::constant_count, info::constant_sizes);
      constants = program->file.constants();
      count = info::constant_count;
    }
    if (count != info::constant_count)
      throw InputFault(std::to_string(count) + " constants came, " + std::to_string(info::constant_count) +
                       " are wanted");
    if (constants == nullptr && count != 0) throw InputFault("the array of constants is null");
    for (std::size_t i = 0; i < count; ++i) {
      const KitConstant& constant = constants[i];
      if (constant.size >= info::constant_sizes[i] && constant.data != nullptr) continue;
      throw InputFault("constant " + std::to_string(i) + " has " +
                       (constant.data == nullptr ? "no data" : std::to_string(constant.size) + " bytes") +
                       ", " + std::to_string(info::constant_sizes[i]) + " bytes are wanted");
    }
    program->bind(constants);
  });
  return status == KIT_PROGRAM_OK ? program.release() : nullptr;
}

}  // namespace

// Nothing but calls: the compiler finds no use here for instructions that the CPU may lack.
KitProgram* kit_program_create(const KitConstant* constants, size_t count) {
  if (can_run()) return create(constants, count);
  set_error(
      "the CPU lacks instructions that the program is compiled for; extract it for a target that it has");
  return nullptr;
}

int kit_program_run(KitProgram* program, const KitTensor* inputs, size_t input_count,
                    const KitTensor* outputs, size_t output_count) {
  return coded([&] {
    if (program == nullptr) throw InputFault("the program is null: see what kit_program_create could not do");
    if (input_count != info::input_count || output_count != info::output_count)
      throw InputFault(std::to_string(input_count) + " inputs and " + std::to_string(output_count) +
                       " outputs came, " + std::to_string(info::input_count) + " and " +
                       std::to_string(info::output_count) + " are wanted");
    if ((inputs == nullptr && input_count != 0) || (outputs == nullptr && output_count != 0))
      throw InputFault("the array of inputs or of outputs is null");
    program->run(inputs, outputs);
  });
}

const char* kit_program_last_error() { return last_error(); }

void kit_program_destroy(KitProgram* program) { delete program; }
