#include <map>
#include <mutex>

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <kit/torch.h>

#include "engines/byte_reader.h"
#include "engines/execution.h"
#include "engines/precision.h"
#include "engines/program.h"
#include "engines/rnn_weights.h"
#include "engines/threads.h"
#include "engines/torch_bisect.h"
#include "engines/torch_call.h"
#include "engines/torch_fusion.h"
#include "engines/torch_graph.h"

namespace kit {
namespace {

/// The archive's own bytes, which it keeps alive.
class Bytes final : public ByteReader {
 public:
  explicit Bytes(const Archive& archive) : ByteReader({archive.bytes()}), archive_(archive) {}

 private:
  Archive archive_;
};

/// Takes the tensors out of what the method returned, in order. Programs of kit's return a tensor or a flat
/// tuple; those from elsewhere may nest.
void flatten(const c10::IValue& value, std::vector<at::Tensor>& tensors) {
  if (value.isTensor()) {
    tensors.push_back(value.toTensor());
  } else if (value.isTuple()) {
    for (const c10::IValue& element : value.toTupleRef().elements()) flatten(element, tensors);
  } else if (value.isList() || value.isTensorList()) {
    for (const c10::IValue& element : value.toListRef()) flatten(element, tensors);
  } else if (value.isGenericDict()) {
    for (const auto& entry : value.toGenericDict()) flatten(entry.value(), tensors);
  } else if (!value.isNone()) {
    throw Error(ErrorCode::input,
                "the model returned a " + value.tagKind() +
                    ", which is no tensor; return tensors, or tuples, lists and dicts of them");
  }
}

torch::jit::Module load_module(const Archive& archive, at::Device device) {
  try {
    torch::jit::Module module = torch::jit::load(
        std::static_pointer_cast<caffe2::serialize::ReadAdapterInterface>(std::make_shared<Bytes>(archive)),
        device);
    module.eval();
    if (device.is_cuda()) gather_rnn_weights(module);
    return module;
  } catch (const std::exception& error) {
    throw Error(ErrorCode::archive, archive.path() + ": libtorch cannot load it: " + summary(error));
  }
}

/// A module with its weights, which all programs of one archive on one device share.
struct Loaded {
  explicit Loaded(Archive from) : archive(std::move(from)) {}

  Archive archive;  ///< keeps the bytes, whose address stands for the archive as long as this is alive
  std::once_flag once;
  torch::jit::Module module;
};

/// The module of the archive on the device: the one that another program has, or a new one.
std::shared_ptr<const Loaded> share_module(const Archive& archive, at::Device device) {
  static std::mutex mutex;
  static std::map<std::pair<const std::byte*, std::string>, std::weak_ptr<Loaded>> known;
  std::shared_ptr<Loaded> loaded;
  {
    const std::lock_guard lock(mutex);
    std::erase_if(known, [](const auto& entry) { return entry.second.expired(); });
    std::weak_ptr<Loaded>& entry = known[{archive.bytes().data(), device.str()}];
    loaded = entry.lock();
    if (loaded == nullptr) entry = loaded = std::make_shared<Loaded>(archive);
  }
  // Outside of the lock: other archives load meanwhile.
  std::call_once(loaded->once, [&] { loaded->module = load_module(archive, device); });
  return loaded;
}

void check_method(const torch::jit::Module& module, const std::string& name, const Archive& archive) {
  if (module.find_method(name)) return;
  if (archive.manifest() != nullptr)
    throw Error(ErrorCode::archive,
                archive.path() + ": its program has no method '" + name + "'; export the model again");
  std::string names;
  for (const torch::jit::Method& method : module.get_methods())
    names += (names.empty() ? "" : ", ") + method.name();
  if (names.empty())
    throw Error(ErrorCode::archive, archive.path() + ": its module has no methods; save one that has");
  throw Error(ErrorCode::usage,
              archive.path() + ": its module has no method '" + name + "'; give one that it has: " + names);
}

class TorchScript final : public Program {
 public:
  TorchScript(const Archive& archive, const std::string& method, at::Device device,
              const Configuration& configuration)
      : device_(device), tf32_(configuration.tf32.value_or(false)), loaded_(share_module(archive, device)) {
    check_method(loaded_->module, method, archive);
    try {
      execution_ = std::make_unique<Execution>(loaded_->module, method, configuration, device);
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      throw Error(ErrorCode::archive, archive.path() + ": libtorch cannot freeze it: " + summary(error) +
                                          "; load it without freezing");
    }
  }

  std::vector<std::string> input_names() const override {
    std::vector<std::string> names;
    const auto& arguments = execution_->schema().arguments();
    for (std::size_t i = 1; i < arguments.size(); ++i)  // the first is the module itself
      if (!arguments[i].default_value()) names.push_back(arguments[i].name());
    return names;
  }

  std::vector<Tensor> run(const std::vector<Tensor>& inputs) const override {
    const at::NoGradGuard no_grad;
    const Precision precision(device_, tf32_);
    // The inputs outlive the call, so that an output in the memory of one shows by its use count.
    const std::vector<at::Tensor> given = on_device(inputs);
    std::vector<at::Tensor> returned;
    guarded([&] { flatten(execution_->run({given.begin(), given.end()}), returned); });
    const at::Device home =
        inputs.empty() || inputs.front().device().kind == Device::Kind::cpu ? at::Device(at::kCPU) : device_;
    std::vector<Tensor> outputs;
    outputs.reserve(returned.size());
    for (at::Tensor& tensor : returned) outputs.push_back(from_torch(detached(tensor, home)));
    return outputs;
  }

  void seed(std::uint64_t seed) const override { at::manual_seed(seed); }

  Graph graph(Stage stage, const std::vector<Tensor>& inputs) const override {
    const at::NoGradGuard no_grad;
    const Precision precision(device_, tf32_);
    return guarded([&] { return graph_at(*execution_, stage, on_device(inputs)); });
  }

  FusionReport fusion(const std::vector<std::vector<Tensor>>& inputs, int calls) const override {
    const at::NoGradGuard no_grad;
    const Precision precision(device_, tf32_);
    return guarded([&] { return fusion_of(*execution_, on_device(inputs), calls); });
  }

  Bisection bisect_fusion(const std::vector<std::vector<Tensor>>& inputs,
                          const BisectOptions& options) const override {
    const at::NoGradGuard no_grad;
    const Precision precision(device_, tf32_);
    const auto tensors_of = [](const c10::IValue& returned) {
      std::vector<at::Tensor> tensors;
      flatten(returned, tensors);
      return tensors;
    };
    return guarded([&] { return kit::bisect_fusion(*execution_, on_device(inputs), options, tensors_of); });
  }

  std::string fingerprint() const override { return execution_->fingerprint(); }
  std::uint64_t compilations() const noexcept override { return Execution::compilations(); }

 private:
  std::vector<at::Tensor> on_device(const std::vector<Tensor>& inputs) const {
    std::vector<at::Tensor> given;
    given.reserve(inputs.size());
    for (const Tensor& input : inputs) {
      given.push_back(to_torch(input));
      if (given.back().device() != device_) given.back() = given.back().to(device_);
    }
    return given;
  }

  std::vector<std::vector<at::Tensor>> on_device(const std::vector<std::vector<Tensor>>& calls) const {
    std::vector<std::vector<at::Tensor>> given;
    given.reserve(calls.size());
    for (const std::vector<Tensor>& inputs : calls) given.push_back(on_device(inputs));
    return given;
  }

  at::Device device_;
  bool tf32_;
  std::shared_ptr<const Loaded> loaded_;
  std::unique_ptr<const Execution> execution_;
};

}  // namespace
}  // namespace kit

kit::Program* kit_load_torchscript(const kit::Archive& archive, const kit::ProgramInfo& /*info*/,
                                   const std::string& method, const kit::Device& device,
                                   const kit::Configuration& configuration) {
  kit::set_interop_threads(configuration.interop_threads);
  return new kit::TorchScript(archive, method, kit::find_device(device), configuration);
}
