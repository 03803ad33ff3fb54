#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <kit/archive.h>
#include <kit/bisect.h>
#include <kit/configuration.h>
#include <kit/device.h>
#include <kit/fusion.h>
#include <kit/graph.h>
#include <kit/manifest.h>
#include <kit/model.h>
#include <kit/tensor.h>

namespace kit {

/// A loaded program: the seam between `Model` and the engines. Every engine implements this and nothing else.
class Program {
 public:
  Program() = default;
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  virtual ~Program() = default;

  /// Names of the inputs, as the program itself knows them.
  virtual std::vector<std::string> input_names() const = 0;

  /// Runs on inputs that fit the signature; from many threads at once. Outputs share no memory with inputs
  /// or with the program.
  virtual std::vector<Tensor> run(const std::vector<Tensor>& inputs) const = 0;

  /// The same into memory on the CPU without gaps, which shares nothing with the inputs. The signature is the
  /// model's. Throws an input error for inputs that do not fit it, and for outputs of another number, dtype
  /// or shape than those of these inputs: a program that checks them itself need not do it twice.
  virtual void run_into(const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs,
                        const Signature& signature) const;

  /// What was asked for and does not count, one sentence each.
  virtual std::vector<std::string> warnings() const { return {}; }

  /// Seeds the random generators that the program draws from.
  virtual void seed(std::uint64_t seed) const = 0;

  /// Runs inputs, as `run`.
  using Run = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;

  /// Replaces the weights by those given by name, of which it has copies afterwards; `where` names them in
  /// messages. `check` is given what runs the program with them; if it throws, the weights before are in use
  /// again. Other calls wait meanwhile. Throws an input error for weights that do not fit, an unavailable
  /// error in engines that cannot.
  virtual void update_weights(const std::map<std::string, Tensor>& weights, const std::string& where,
                              const std::function<void(const Run&)>& check);

  /// As `Model::graph` and `Model::fusion`; sizes and method are the model's to fill in. Both throw an
  /// unavailable error in engines that have no graphs.
  virtual Graph graph(Stage stage, const std::vector<Tensor>& inputs) const;
  virtual FusionReport fusion(const std::vector<std::vector<Tensor>>& inputs, int calls) const;

  /// As `Model::bisect_fusion`; method and names are the model's to fill in. Throws an unavailable error in
  /// engines that fuse nothing.
  virtual Bisection bisect_fusion(const std::vector<std::vector<Tensor>>& inputs,
                                  const BisectOptions& options) const;

  /// What tells one state of compilation from another; the same as long as nothing is compiled.
  virtual std::string fingerprint() const { return {}; }

  /// How many graphs the calling thread has compiled so far, in all programs of the engine.
  virtual std::uint64_t compilations() const noexcept { return 0; }
};

/// Loads a method of the program that was chosen, for a device that it was made for. The caller owns the
/// result. The configuration has every field but those of the threads set. Throws `Error`.
using LoadProgram = Program* (*)(const Archive& archive, const ProgramInfo& info, const std::string& method,
                                 const Device& device, const Configuration& configuration);

}  // namespace kit

// What the library of the engines that need libtorch exports: a LoadProgram for each, `kit_load_<engine>`.
extern "C" kit::Program* kit_load_torchscript(const kit::Archive& archive, const kit::ProgramInfo& info,
                                              const std::string& method, const kit::Device& device,
                                              const kit::Configuration& configuration);
extern "C" kit::Program* kit_load_aoti(const kit::Archive& archive, const kit::ProgramInfo& info,
                                       const std::string& method, const kit::Device& device,
                                       const kit::Configuration& configuration);
