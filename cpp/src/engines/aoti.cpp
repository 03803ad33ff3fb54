#include <algorithm>
#include <memory>
#include <mutex>
#include <semaphore>
#include <shared_mutex>
#include <stdexcept>
#include <thread>

#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/clone.h>
#include <c10/core/DeviceGuard.h>

#include <kit/torch.h>

#include "core/program_info.h"
#include "engines/aoti_package.h"
#include "engines/aoti_weights.h"
#include "engines/precision.h"
#include "engines/program.h"
#include "engines/threads.h"
#include "engines/torch_call.h"

namespace kit {
namespace {

/// Calls beyond this many at once wait for one another.
std::size_t most_calls_at_once() {
  return std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 16);
}

/// Calls wait here and not in torch's container: it wakes nobody when a call throws, and who waits there may
/// then wait for ever.
class Gate {
 public:
  explicit Gate(std::size_t calls) : places_(static_cast<std::ptrdiff_t>(calls)) {}

  class Place {
   public:
    explicit Place(Gate& gate) : gate_(gate) { gate_.places_.acquire(); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { gate_.places_.release(); }

   private:
    Gate& gate_;
  };

 private:
  std::counting_semaphore<> places_;
};

/// Held while a package is loaded or unloaded: when several threads do so on a busy machine, libtorch now and
/// then mixes up what it reads, or ends the process.
std::mutex& loading() {
  static auto* const mutex = new std::mutex;  // models may be destroyed after what is static
  return *mutex;
}

/// The package with the constants that the archive keeps elsewhere.
ByteReader::Pieces pieces_of(const Archive& archive, const ProgramMethod& method) {
  std::span<const std::byte> rest = archive.member(method.member);
  ByteReader::Pieces pieces;
  std::uint64_t end = 0;
  for (const ConstantInfo& constant : method.constants) {
    const std::size_t before = constant.at - end;
    pieces.push_back(rest.first(before));
    pieces.push_back(archive.member(constant.member).subspan(constant.offset, constant.size));
    rest = rest.subspan(before);
    end = constant.at + constant.size;
  }
  pieces.push_back(rest);
  return pieces;
}

std::unique_ptr<AotiPackage> load_package(const Archive& archive, const ProgramMethod& method,
                                          at::Device device) {
  try {
    const std::lock_guard lock(loading());
    return std::make_unique<AotiPackage>(pieces_of(archive, method), contents_of(*archive.manifest(), method),
                                         device, most_calls_at_once());
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(
        ErrorCode::unavailable,
        archive.path() + ": libtorch cannot load " + method.member + ": " + summary(error) +
            "; it is unpacked to the folder for temporary files, TMPDIR: there must be room, and programs "
            "must be allowed to be executed there");
  }
}

class Aoti final : public Program {
 public:
  Aoti(const Archive& archive, const ProgramMethod& method, at::Device device,
       const Configuration& configuration)
      : archive_(archive),
        device_(device),
        tf32_(configuration.tf32.value_or(false)),
        threads_(configuration.threads),
        package_(load_package(archive, method, device)) {}

  Aoti(const Aoti&) = delete;
  Aoti& operator=(const Aoti&) = delete;

  ~Aoti() override {
    const std::lock_guard lock(loading());
    package_.reset();
  }

  std::vector<std::string> input_names() const override { return {}; }

  std::vector<Tensor> run(const std::vector<Tensor>& inputs) const override {
    std::unique_lock turn(turn_);
    const std::shared_lock lock(weights_);
    turn.unlock();
    return compute(inputs);
  }

  void seed(std::uint64_t seed) const override { at::manual_seed(seed); }

  void update_weights(const std::map<std::string, Tensor>& weights, const std::string& where,
                      const std::function<void(const Run&)>& check) override {
    const at::NoGradGuard no_grad;
    const c10::DeviceGuard device(device_);
    const std::lock_guard turn(turn_);  // further calls wait, those under way end
    const std::unique_lock lock(weights_);
    auto constants = new_constants(*package_, weights, where);
    AotiPackage::Runner& runner = package_->runner();
    // The package holds two sets of weights, of which one is in use.
    runner.update_constant_buffer(constants, /*use_inactive=*/true, /*validate_full_updates=*/false);
    runner.swap_constant_buffer();
    try {
      check([this](const std::vector<Tensor>& inputs) { return compute(inputs); });
    } catch (...) {
      runner.swap_constant_buffer();
      runner.free_inactive_constant_buffer();
      throw;
    }
    runner.free_inactive_constant_buffer();
  }

 private:
  std::vector<Tensor> compute(const std::vector<Tensor>& inputs) const {
    const at::NoGradGuard no_grad;
    const c10::DeviceGuard device(device_);
    const Precision precision(device_, tf32_);
    const Threads threads(threads_);
    // The inputs outlive the call, so that an output in the memory of one shows by its use count.
    std::vector<at::Tensor> given;
    given.reserve(inputs.size());
    for (const Tensor& input : inputs) given.push_back(fitting(to_torch(input)));
    const std::vector<at::Tensor> returned = guarded([&] {
      const Gate::Place place(gate_);
      try {
        return package_->runner().run(given);
      } catch (const c10::OutOfMemoryError&) {
        throw;
      } catch (const std::exception& error) {
        throw std::runtime_error(package_->reason(error));
      }
    });
    const at::Device home =
        inputs.empty() || inputs.front().device().kind == Device::Kind::cpu ? at::Device(at::kCPU) : device_;
    std::vector<Tensor> outputs;
    outputs.reserve(returned.size());
    for (const at::Tensor& tensor : returned) outputs.push_back(from_torch(detached(tensor, home)));
    return outputs;
  }

  /// The input as the package assumes it without a check: on its device, row-major without gaps, and on a GPU
  /// where a vector of 16 bytes may start. On a CPU the package reads from any address.
  at::Tensor fitting(at::Tensor tensor) const {
    if (tensor.device() != device_) tensor = tensor.to(device_);
    if (!tensor.is_contiguous()) tensor = tensor.contiguous();
    if (device_.is_cuda() && reinterpret_cast<std::uintptr_t>(tensor.data_ptr()) % 16 != 0)
      tensor = tensor.clone();
    return tensor;
  }

  Archive archive_;  ///< whose memory the weights are in
  at::Device device_;
  bool tf32_;
  std::optional<int> threads_;
  mutable std::mutex turn_;            ///< to wait for the next: calls that overlap would let nobody else in
  mutable std::shared_mutex weights_;  ///< held by calls together, and alone by who replaces the weights
  mutable Gate gate_{most_calls_at_once()};
  std::unique_ptr<AotiPackage> package_;
};

}  // namespace
}  // namespace kit

kit::Program* kit_load_aoti(const kit::Archive& archive, const kit::ProgramInfo& info,
                            const std::string& method, const kit::Device& device,
                            const kit::Configuration& configuration) {
  kit::set_interop_threads(configuration.interop_threads);
  return new kit::Aoti(archive, info.methods.at(method), kit::find_device(device), configuration);
}
