#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <kit/archive.h>
#include <kit/bisect.h>
#include <kit/configuration.h>
#include <kit/device.h>
#include <kit/fusion.h>
#include <kit/graph.h>
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

  /// Seeds the random generators that the program draws from.
  virtual void seed(std::uint64_t seed) const = 0;

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

/// What a library that holds an engine exports, under the name `kit_load_<engine>`. The caller owns the
/// program, which is the method of that name. The configuration has every field but those of the threads set.
/// Throws `Error`.
using LoadProgram = Program* (*)(const Archive& archive, const std::string& method, const Device& device,
                                 const Configuration& configuration);

}  // namespace kit

extern "C" kit::Program* kit_load_torchscript(const kit::Archive& archive, const std::string& method,
                                              const kit::Device& device,
                                              const kit::Configuration& configuration);
