#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <kit/archive.h>
#include <kit/signature.h>
#include <kit/tensor.h>

namespace kit {

/// Which kind of program to run; `automatic` takes the fastest that the archive has and the host can run.
enum class Engine { automatic, torchscript, aoti, native };

/// "auto", "torchscript", "aoti", "native".
std::string_view name(Engine engine) noexcept;

/// The engine of that name. Throws a usage error if there is none.
Engine engine_from_name(std::string_view name);

struct Options {
  Engine engine = Engine::automatic;
  std::string device = "cpu";      ///< "cpu", "cuda" or "cuda:N"
  int threads = 0;                 ///< intra-op threads, for the whole process; 0 leaves them as they are
  std::string method = "forward";  ///< which method of the model to load
};

class Program;

/// A loaded model: load, ask, predict. Move-only. `predict` may be called from many threads at once;
/// destroying a model while a thread predicts with it is an error of the caller.
class Model {
 public:
  /// Opens and checks the archive, chooses a program and loads it. Throws archive, usage and unavailable
  /// errors. Models of one Archive on one device share the weights, whichever method they have.
  static Model load(const std::string& path, const Options& options = {});
  static Model load(const Archive& archive, const Options& options = {});

  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;
  ~Model();

  /// Checks the inputs against the signature, then runs the program. Inputs and outputs are in the
  /// signature's order. Inputs are read in place where they are on the model's device, and are not kept.
  /// Outputs are new memory, on the device of the first input. Throws an input error before anything
  /// runs if an input does not fit.
  std::vector<Tensor> predict(const std::vector<Tensor>& inputs) const;

  /// Seeds the random generators that the program draws from: those of the whole process.
  void seed(std::uint64_t seed) const;

  /// The name of the method that was loaded.
  const std::string& method() const noexcept;

  /// For an archive without a manifest, only the names of the inputs are known.
  const Signature& signature() const noexcept;

  /// The engine in use, never `automatic`.
  Engine engine() const noexcept;

  /// Why the other engines were not taken, one sentence each.
  const std::vector<std::string>& notes() const noexcept;

  /// What could not be checked, one sentence each; empty for an archive of kit's.
  const std::vector<std::string>& warnings() const noexcept;

 private:
  struct State;
  explicit Model(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kit
