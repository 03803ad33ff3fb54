#include "engines/native.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>

#include <kit/program.h>

#include "core/program_description.h"
#include "engines/division.h"
#include "engines/memory_library.h"
#include "engines/outputs.h"
#include "engines/program_tensor.h"
#include "engines/workers.h"

namespace kit {
namespace {

/// What one call needs of each input or output: on the stack, unless there are many.
template <typename T>
class Few {
 public:
  explicit Few(std::size_t count) : large_(count > small_.size() ? count : 0) {}

  T& operator[](std::size_t i) { return data()[i]; }
  T* data() { return large_.empty() ? small_.data() : large_.data(); }

 private:
  std::array<T, 8> small_;  // not set: only what is used is written
  std::vector<T> large_;
};

/// The interface of kit/program.h, found in a library.
struct Functions {
  decltype(&kit_program_description) description = nullptr;
  decltype(&kit_program_create) create = nullptr;
  decltype(&kit_program_run) run = nullptr;
  decltype(&kit_program_last_error) last_error = nullptr;
  decltype(&kit_program_destroy) destroy = nullptr;

  Functions(const MemoryLibrary& library, const std::string& where) {
    decltype(&kit_program_abi) abi = nullptr;
    const auto find = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::decay_t<decltype(function)>>(library.find(name));
      if (function == nullptr)
        throw Error(ErrorCode::archive, where + " has no function " + name + "; export the model again");
    };
    // The version comes first: another may change everything else.
    find(abi, "kit_program_abi");
    if (const std::uint32_t version = abi(); version != KIT_PROGRAM_ABI)
      throw Error(ErrorCode::unavailable, where + " has version " + std::to_string(version) +
                                              " of the interface of native programs, and this kit runs " +
                                              std::to_string(KIT_PROGRAM_ABI) +
                                              "; export the model again, or update kit");
    find(description, "kit_program_description");
    find(create, "kit_program_create");
    find(run, "kit_program_run");
    find(last_error, "kit_program_last_error");
    find(destroy, "kit_program_destroy");
  }

  /// What went wrong in the last call of this thread, as one line.
  std::string reason() const {
    const char* text = last_error();
    std::string line = text != nullptr && *text != '\0' ? text : "it gives no reason";
    std::replace(line.begin(), line.end(), '\n', ' ');
    return line;
  }
};

class Native final : public Program {
 public:
  Native(const Archive& archive, const ProgramMethod& info, const Method& method, const std::string& target,
         int threads)
      : archive_(archive),
        where_(archive.path() + ": its native program '" + info.member + "'"),
        signature_(method.signature),
        threads_(threads),
        workers_(static_cast<std::size_t>(threads)),
        library_(MemoryLibrary::shared(archive.manifest()->digest(info.member), archive.member(info.member),
                                       where_)),
        functions_(*library_, where_),
        program_(nullptr, functions_.destroy) {
    check_description(info, method.name, target);
    find_dims();
    std::vector<KitConstant> constants;
    constants.reserve(info.constants.size());
    for (const ConstantInfo& constant : info.constants)
      constants.push_back(
          {aligned(archive.member(constant.member).subspan(constant.offset, constant.size)), constant.size});
    program_.reset(functions_.create(constants.data(), constants.size()));
    if (program_ == nullptr) throw Error(ErrorCode::unavailable, where_ + ": " + functions_.reason());
    MemoryLibrary::keep(library_);
  }

  std::vector<std::string> input_names() const override {
    std::vector<std::string> names;
    names.reserve(signature_.inputs.size());
    for (const TensorSpec& spec : signature_.inputs) names.push_back(spec.name);
    return names;
  }

  std::vector<std::string> warnings() const override {
    if (threads_ == 1 || rows_per_thread_) return {};
    return {where_ + " runs in one thread and not in " + std::to_string(threads_) +
            ": its calls cannot be divided, because it has no dim that leads all inputs and outputs, or its "
            "rows may depend on one another"};
  }

  /// Nothing is ever random in a native program.
  void seed(std::uint64_t /*seed*/) const override {}

  std::vector<Tensor> run(const std::vector<Tensor>& inputs) const override {
    std::vector<Tensor> outputs;
    outputs.reserve(signature_.outputs.size());
    for (const TensorSpec& spec : signature_.outputs)
      outputs.push_back(Tensor::empty(*spec.dtype, shape_of(spec, inputs)));
    check_on_cpu(inputs);
    if (const int status = compute(inputs, outputs); status != KIT_PROGRAM_OK) fail(status);
    return outputs;
  }

  /// What must fit is left to the program, which looks at all of it before it computes: only what it refuses
  /// is looked at here, for the words that Model has for it.
  void run_into(const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs,
                const Signature& signature) const override {
    const bool complete =
        inputs.size() == signature.inputs.size() && outputs.size() == signature.outputs.size();
    if (!complete || threads_ > 1) check(inputs, outputs, signature);
    if (const int status = compute(inputs, outputs); status != KIT_PROGRAM_OK) {
      if (status == KIT_PROGRAM_INPUT) check(inputs, outputs, signature);
      fail(status);
    }
  }

 private:
  void check(const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs,
             const Signature& signature) const {
    signature.check_inputs(inputs);
    check_on_cpu(inputs);
    check_memory(outputs, signature);
    check_count(outputs, signature.outputs.size());
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const TensorSpec& spec = signature.outputs[i];
      if (outputs[i].dtype() != *spec.dtype || outputs[i].shape() != shape_of(spec, inputs))
        refuse_output(spec.name, *spec.dtype, shape_of(spec, inputs), outputs[i]);
    }
  }

  void check_on_cpu(const std::vector<Tensor>& inputs) const {
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (inputs[i].device().kind != Device::Kind::cpu)
        throw Error(ErrorCode::input, "input '" + signature_.inputs[i].name + "' is on " +
                                          inputs[i].device().str() +
                                          ", and a native program runs on the CPU; give it there");
  }

  /// As many as the signature has. Gives the code of the program.
  int compute(const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs) const {
    Few<KitTensor> given(inputs.size());  // made in place: a copy would wait for what was just written
    for (std::size_t i = 0; i < inputs.size(); ++i) new (given.data() + i) KitTensor(view(inputs[i]));
    Few<KitTensor> taken(outputs.size());
    for (std::size_t i = 0; i < outputs.size(); ++i) new (taken.data() + i) KitTensor(view(outputs[i]));
    if (threads_ > 1 && rows_per_thread_) {
      const std::int64_t rows = inputs.front().shape().front();
      if (rows / *rows_per_thread_ > 1) {
        run_divided(given.data(), taken.data(), rows);
        return KIT_PROGRAM_OK;
      }
    }
    return run_once(given.data(), taken.data());
  }

  int run_once(const KitTensor* inputs, const KitTensor* outputs) const {
    return functions_.run(program_.get(), inputs, signature_.inputs.size(), outputs,
                          signature_.outputs.size());
  }

  /// The same for parts of the rows, at the same time.
  void run_divided(const KitTensor* inputs, const KitTensor* outputs, std::int64_t rows) const {
    const Division division = divide(rows, *rows_per_thread_, least_rows_, threads_);
    workers_.run(division.threads, division.parts(), [&](std::size_t i) {
      const Rows part{division.starts[i], division.starts[i + 1]};
      const Parts given(inputs, signature_.inputs.size(), part);
      const Parts taken(outputs, signature_.outputs.size(), part);
      if (const int status = run_once(given.data(), taken.data()); status != KIT_PROGRAM_OK) fail(status);
    });
  }

  /// Where the size of a dim is to be seen.
  struct Place {
    std::size_t input = 0;
    std::size_t axis = 0;
  };

  void check_description(const ProgramMethod& info, const std::string& method, const std::string& target) {
    const char* text = functions_.description();
    const auto description = ProgramDescription::parse(text != nullptr ? text : "", where_);
    std::vector<std::uint64_t> sizes;
    sizes.reserve(info.constants.size());
    for (const ConstantInfo& constant : info.constants) sizes.push_back(constant.size);
    const auto refuse = [&](const std::string& what) {
      throw Error(ErrorCode::archive, where_ + " is " + what + "; export the model again");
    };
    if (description.method != method)
      refuse("the method '" + description.method + "', and the manifest says '" + method + "'");
    if (description.target != target)
      refuse("for " + description.target + ", and the manifest says " + target);
    if (description.constants != sizes) refuse("of other constants than the manifest says");
    const Dim* const batch = signature_.batch();
    if (description.rows_per_thread && batch == nullptr)
      refuse("one whose calls can be divided, and the manifest names no dim to divide along");
    rows_per_thread_ = description.rows_per_thread;
    if (batch != nullptr) least_rows_ = std::max<std::int64_t>(1, batch->min);
  }

  void find_dims() {
    std::vector<std::optional<Place>> found(signature_.dims.size());
    for (std::size_t i = 0; i < signature_.inputs.size(); ++i) {
      const std::vector<DimSpec>& shape = *signature_.inputs[i].shape;
      for (std::size_t axis = 0; axis < shape.size(); ++axis)
        if (shape[axis].dim >= 0) found[static_cast<std::size_t>(shape[axis].dim)] = Place{i, axis};
    }
    for (const TensorSpec& spec : signature_.outputs)
      for (const DimSpec& size : *spec.shape)
        if (size.dim >= 0 && !found[static_cast<std::size_t>(size.dim)])
          throw Error(ErrorCode::archive, archive_.path() + ": output '" + spec.name + "' has the dim '" +
                                              signature_.dims[static_cast<std::size_t>(size.dim)].name +
                                              "', which no input has; load the engine torchscript");
    places_.reserve(found.size());
    for (const std::optional<Place>& place : found) places_.push_back(place.value_or(Place{}));
  }

  std::int64_t size_of(const DimSpec& size, const std::vector<Tensor>& inputs) const {
    if (size.dim < 0) return size.size;
    const Place& place = places_[static_cast<std::size_t>(size.dim)];
    return inputs[place.input].shape()[place.axis];
  }

  Shape shape_of(const TensorSpec& spec, const std::vector<Tensor>& inputs) const {
    Shape shape;
    shape.reserve(spec.shape->size());
    for (const DimSpec& size : *spec.shape) shape.push_back(size_of(size, inputs));
    return shape;
  }

  /// The bytes where they are, or a copy if the program could not take them there: in a file that kit wrote,
  /// all are aligned.
  const void* aligned(std::span<const std::byte> bytes) {
    constexpr std::uintptr_t alignment = 64;
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignment == 0) return bytes.data();
    copies_.push_back(Tensor::empty(DType::uint8, {static_cast<std::int64_t>(bytes.size())}));
    std::copy(bytes.begin(), bytes.end(), static_cast<std::byte*>(copies_.back().data()));
    return copies_.back().data();
  }

  [[noreturn]] void fail(int status) const {
    if (status == KIT_PROGRAM_INPUT)
      throw Error(ErrorCode::input, "the model cannot compute these inputs: " + functions_.reason());
    if (status == KIT_PROGRAM_UNAVAILABLE)
      throw Error(ErrorCode::unavailable, where_ + ": " + functions_.reason());
    throw Error(ErrorCode::internal, where_ + " failed: " + functions_.reason());
  }

  // The program reads the archive's bytes and the copies, and is itself in the library: it goes first.
  Archive archive_;
  std::string where_;
  Signature signature_;
  int threads_;
  mutable Workers workers_;
  std::optional<std::int64_t> rows_per_thread_;  ///< set if calls can be divided, to 1 or more
  std::int64_t least_rows_ = 1;                  ///< that a call may have
  std::vector<Place> places_;                    ///< by dim
  std::vector<Tensor> copies_;                   ///< of constants that are not aligned
  std::shared_ptr<const MemoryLibrary> library_;
  Functions functions_;
  std::unique_ptr<KitProgram, decltype(&kit_program_destroy)> program_;
};

}  // namespace

Program* load_native(const Archive& archive, const ProgramInfo& info, const std::string& method,
                     const Device& device, const Configuration& configuration) {
  if (device.kind != Device::Kind::cpu)
    throw Error(ErrorCode::unavailable, archive.path() +
                                            ": a native program runs on the CPU, and the device is " +
                                            device.str() + "; give --device cpu");
  return new Native(archive, info.methods.at(method), archive.manifest()->method(method), info.target,
                    configuration.threads.value_or(1));
}

}  // namespace kit
