#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <kit/archive.h>
#include <kit/bisect.h>
#include <kit/configuration.h>
#include <kit/fusion.h>
#include <kit/graph.h>
#include <kit/signature.h>
#include <kit/tensor.h>
#include <kit/warm_up.h>

namespace kit {

/// Which kind of program to run; `automatic` takes the fastest that the archive has and the host can run.
enum class Engine { automatic, torchscript, aoti, native };

/// "auto", "torchscript", "aoti", "native".
std::string_view name(Engine engine) noexcept;

/// The engine of that name. Throws a usage error if there is none.
Engine engine_from_name(std::string_view name);

struct Options {
  Engine engine = Engine::automatic;
  std::string device = "cpu";        ///< "cpu", "cuda" or "cuda:N"
  std::string method = "forward";    ///< which method of the model to load
  Configuration configuration = {};  ///< how the program is run
  bool warm_up = false;  ///< whether to call it with golden cases first: one of each of their sizes
  /// The sizes to warm up, by dim; those of all golden cases, if not given.
  std::map<std::string, std::vector<std::int64_t>> warm_up_sizes = {};
  /// Takes one sentence for each prediction that compiles after a warm-up. On the thread that predicts.
  std::function<void(const std::string&)> log = nullptr;
  /// What the program was compiled for, as the manifest has it; the best that the host supports, if empty.
  std::string target = {};
};

class Program;

/// A loaded model: load, ask, predict. Move-only.
///
/// `predict` may be called from many threads at once, and so may all that is const. Different models may be
/// loaded, used and destroyed in any threads at any time, also those of one archive. Moving, assigning and
/// destroying a model, and what is said so below, are not for while another thread uses it.
///
/// After a fork the child can use the native programs that the parent has loaded, and load further ones. A
/// torchscript or aoti program throws an unavailable error there, and so does loading one if the parent has
/// ever loaded one; destroying one does nothing there. A fork waits for threads that load or destroy models,
/// and not for those that predict.
class Model {
 public:
  /// Opens and checks the archive, chooses a program and loads it. Throws archive, usage and unavailable
  /// errors; a warm-up needs an archive with golden cases. Models of one Archive on one device share the
  /// weights, whichever method they have.
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

  /// The same into memory that is there: of the dtypes and shapes that the outputs have for these inputs, on
  /// the CPU, row-major without gaps, sharing nothing with the inputs. A native program computes there; the
  /// others copy. Throws an input error for an output that is not so. What is in the outputs after an error
  /// is not said.
  void predict(const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs) const;

  /// Calls the model with each of these inputs, in this order, until nothing more is compiled. The outputs
  /// are thrown away; a model with random operations draws from the generators. Predictions that compile from
  /// now on are logged. Not while another thread uses the model. Throws as `predict` does.
  WarmUp warm_up(const std::vector<std::vector<Tensor>>& inputs);

  /// All warm-ups together: that of `Options::warm_up`, and those asked for since. Unset if there was none.
  const std::optional<WarmUp>& warmed_up() const noexcept;

  /// Replaces the program's weights by those of a .safetensors file, under the names that they have in the
  /// model (those of its state_dict). Beside them the file may hold cases, `cases/0.inputs.<name>` and
  /// `cases/0.outputs.<name>`: they are replayed, and if one differs beyond the tolerance, the weights before
  /// are in use again. Without any, a warning is there until weights are replaced again. Calls wait
  /// meanwhile. Throws an input error that names a weight that is unknown, missing, or of another dtype or
  /// shape, a parity error for a case that differs, and an unavailable error for a program whose weights
  /// cannot be replaced: only those of aoti can.
  void update_weights(const std::string& path);

  /// Seeds the random generators that the program draws from: those of the whole process.
  void seed(std::uint64_t seed) const;

  /// The name of the method that was loaded.
  const std::string& method() const noexcept;

  /// For an archive without a manifest, only the names of the inputs are known.
  const Signature& signature() const noexcept;

  /// The engine in use, never `automatic`.
  Engine engine() const noexcept;

  /// What the program in use was compiled for: "x86-64-v3", "cuda:sm_90"; "any" for TorchScript.
  const std::string& target() const noexcept;

  /// How the engine runs it: what was asked for, else what the archive recommends, else the defaults. Engines
  /// other than TorchScript know only the threads.
  const Configuration& configuration() const noexcept;

  /// The graph of the method at a stage. For `optimized` it is the one that is executed for inputs of the
  /// given sizes: they are run until nothing more is compiled, in an execution of its own, so that the model
  /// itself stays as it is. Throws an unavailable error for engines that have no graphs, an input error for
  /// inputs that do not fit.
  Graph graph(Stage stage, const std::vector<Tensor>& inputs = {}) const;

  /// What is fused in calls with these inputs, each given `calls` times in this order, in an execution of its
  /// own. Throws as `graph` does.
  FusionReport fusion(const std::vector<std::vector<Tensor>>& inputs, int calls = 4) const;

  /// Finds the fused group, and in it the operation, that makes outputs for one of these inputs differ from
  /// those without fusion, in executions of their own. A difference is reported in the result. Throws as
  /// `graph` does, and a usage error for fewer runs than one.
  Bisection bisect_fusion(const std::vector<std::vector<Tensor>>& inputs,
                          const BisectOptions& options = {}) const;

  /// Why faster programs were not taken, one sentence each.
  const std::vector<std::string>& notes() const noexcept;

  /// What could not be checked, and what was asked for and does not count, one sentence each. Empty for an
  /// archive of kit's and a program that has been verified.
  const std::vector<std::string>& warnings() const noexcept;

 private:
  struct State;
  explicit Model(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kit
