#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <kit/archive.h>
#include <kit/device.h>
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
};

/// What a library that holds an engine exports, under the name `kit_load_<engine>`. The caller owns the
/// program, which is the method of that name. Throws `Error`.
using LoadProgram = Program* (*)(const Archive& archive, const std::string& method, const Device& device,
                                 int threads);

}  // namespace kit

extern "C" kit::Program* kit_load_torchscript(const kit::Archive& archive, const std::string& method,
                                              const kit::Device& device, int threads);
