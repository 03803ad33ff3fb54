#include <kit/model.h>

#include <algorithm>
#include <mutex>

#include <kit/programs.h>

#include "core/choose.h"
#include "engines/fork.h"
#include "engines/library.h"
#include "engines/outputs.h"
#include "engines/warm_up.h"
#include "engines/weights.h"

namespace kit {

Graph Program::graph(Stage /*stage*/, const std::vector<Tensor>& /*inputs*/) const {
  throw Error(ErrorCode::unavailable,
              "only TorchScript programs have graphs; load it with the engine torchscript");
}

FusionReport Program::fusion(const std::vector<std::vector<Tensor>>& /*inputs*/, int /*calls*/) const {
  throw Error(ErrorCode::unavailable,
              "only TorchScript programs are fused; load it with the engine torchscript");
}

Bisection Program::bisect_fusion(const std::vector<std::vector<Tensor>>& /*inputs*/,
                                 const BisectOptions& /*options*/) const {
  throw Error(ErrorCode::unavailable,
              "only TorchScript programs are fused; load it with the engine torchscript");
}

void Program::run_into(const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs,
                       const Signature& signature) const {
  signature.check_inputs(inputs);
  check_memory(outputs, signature);
  copy_into(outputs, run(inputs), signature);
}

void Program::update_weights(const std::map<std::string, Tensor>& /*weights*/, const std::string& /*where*/,
                             const std::function<void(const Run&)>& /*check*/) {
  throw Error(ErrorCode::unavailable,
              "only the weights of aoti programs can be replaced; load it with the engine aoti");
}

struct Model::State {
  std::string method;
  Signature signature;
  Engine engine = Engine::torchscript;
  std::string target;
  Configuration configuration;
  std::vector<std::string> notes;
  std::vector<std::string> warnings;
  std::string weights_warning;  ///< the one of these that is of weights that were replaced, or ""
  std::mutex updating;          ///< held by who replaces weights
  Tolerances tolerances;
  std::optional<std::int64_t> seed;  ///< what a replay of cases begins with
  std::unique_ptr<Program> program;
  std::function<void(const std::string&)> log;
  std::optional<WarmUp> warmed_up;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State();

  /// The program, to be used now. Throws an unavailable error if a fork has made it useless.
  Program& running() const {
    if (engine != Engine::native) TorchUse::check();
    return *program;
  }

  /// What `run` gives of the program; what it compiles after a warm-up is logged.
  template <typename Run>
  std::vector<Tensor> logged(const std::vector<Tensor>& inputs, const Run& run) const;
};

Model::State::~State() {
  // What libtorch has begun in the parent is not to be ended in the child: an aoti program would remove the
  // parent's files.
  if (engine != Engine::native && TorchUse::is_lost()) {
    static_cast<void>(program.release());
    return;
  }
  const Loading loading;
  program.reset();
}

namespace {

/// What is asked for, over what the archive recommends, over the defaults.
Configuration resolved(const Configuration& asked, const Manifest* manifest, const Device& device) {
  Configuration result = manifest != nullptr ? asked.over(manifest->configuration) : asked;
  // Whoever asks for one executor gets it: what the archive recommends for the other does not count.
  if (asked.executor == Executor::simple && !asked.fusion) result.fusion = false;
  if (asked.fusion.value_or(false) && !asked.executor) result.executor = Executor::profiling;
  result =
      result.over({.executor = Executor::profiling, .freeze = false, .static_depth = 2, .dynamic_depth = 10});
  const bool fuses = device.kind == Device::Kind::cuda && result.executor == Executor::profiling;
  result = result.over({.fusion = fuses});
  if (device.kind == Device::Kind::cpu)
    result.tf32 = std::nullopt;  // it means nothing there
  else if (!result.tf32)
    result.tf32 = false;
  return result;
}

/// "x float32[7, 3]": inputs of which no dims are known.
std::string shapes(const std::vector<Tensor>& inputs, const Signature& signature) {
  std::string text;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    text += (text.empty() ? "" : ", ") + signature.inputs[i].name + " " + inputs[i].str();
  return text;
}

std::string compiled_late(std::uint64_t count, const std::vector<Tensor>& inputs, const Signature& signature,
                          const WarmUp& warmed_up) {
  const Sizes sizes = signature.sizes(inputs);
  const bool known =
      std::find(warmed_up.sizes.begin(), warmed_up.sizes.end(), sizes) != warmed_up.sizes.end();
  return "a prediction compiled " + std::to_string(count) + (count == 1 ? " graph" : " graphs") + " for " +
         (sizes.empty() ? shapes(inputs, signature) : words(sizes)) +
         (known ? ", although the model was warmed up for these sizes: perhaps its inputs lie in memory "
                  "otherwise"
                : ", for which the model was not warmed up");
}

}  // namespace

template <typename Run>
std::vector<Tensor> Model::State::logged(const std::vector<Tensor>& inputs, const Run& run) const {
  const Program& known = running();
  if (!warmed_up || !log) return run(known);
  const std::uint64_t before = known.compilations();
  std::vector<Tensor> outputs = run(known);
  if (const std::uint64_t count = known.compilations() - before; count > 0)
    log(compiled_late(count, inputs, signature, *warmed_up));
  return outputs;
}

namespace {

/// What is to be known of a program that is not TorchScript.
std::vector<std::string> warnings_of(const Archive& archive, const Choice& choice, const Options& options) {
  std::vector<std::string> warnings;
  const std::string program = std::string(name(choice.engine)) + " program for " + choice.program.target;
  if (!is_verified(archive, choice.program, options.method))
    warnings.push_back(
        archive.path() + ": the " + program +
        " is unverified: the host that exported it could not run it; run predictor verify here");
  Configuration asked = options.configuration;
  asked.threads = asked.interop_threads = std::nullopt;
  if (for_cuda(choice.program)) asked.tf32 = std::nullopt;
  if (const std::string how = asked.str(); !how.empty())
    warnings.push_back("the " + program + " is run, for which '" + how +
                       "' means nothing; give the engine torchscript to run it so");
  return warnings;
}

}  // namespace

Model::Model(std::unique_ptr<State> state) : state_(std::move(state)) {}
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

Model Model::load(const std::string& path, const Options& options) {
  return load(Archive::open(path), options);
}

Model Model::load(const Archive& archive, const Options& options) {
  const Device device = Device::parse(options.device);
  options.configuration.check();
  const Manifest* manifest = archive.manifest();
  const bool warms_up = options.warm_up || !options.warm_up_sizes.empty();
  if (warms_up && manifest == nullptr)
    throw Error(ErrorCode::usage,
                archive.path() +
                    ": there is nothing to warm up with: it has no manifest, hence no golden cases; call "
                    "warm_up with inputs of your own");
  const Method* method = manifest != nullptr ? &manifest->method(options.method) : nullptr;
  std::vector<std::vector<Tensor>> inputs;
  if (warms_up) inputs = warm_up_inputs(archive, *method, options.warm_up_sizes);
  Choice choice = choose(archive, {options.engine, options.target, device, options.method}, Host::here());
  auto state = std::make_unique<State>();
  state->method = options.method;
  state->engine = choice.engine;
  state->target = choice.program.target;
  state->notes = std::move(choice.notes);
  state->log = options.log;
  const Configuration configuration = resolved(options.configuration, manifest, device);
  if (choice.engine == Engine::torchscript) {
    state->configuration = configuration;
  } else {
    state->configuration.threads = configuration.threads;
    state->configuration.tf32 = configuration.tf32;
    state->warnings = warnings_of(archive, choice, options);
  }
  if (choice.engine != Engine::native) {
    TorchUse::check();
    TorchUse::begin();
  }
  {
    const Loading loading;
    state->program.reset(
        engine_loader(choice.engine)(archive, choice.program, options.method, device, configuration));
  }
  for (std::string& warning : state->program->warnings()) state->warnings.push_back(std::move(warning));
  if (method != nullptr) {
    state->signature = method->signature;
    state->tolerances = method->tolerances;
    state->seed = method->seed;
  } else {
    for (std::string& name : state->program->input_names())
      state->signature.inputs.push_back({std::move(name), std::nullopt, std::nullopt});
    state->warnings.push_back(
        archive.path() +
        ": no manifest: neither the file's integrity, nor the inputs' dtypes and shapes, nor "
        "the outputs can be checked; write an archive with python -m kit.export");
  }
  Model model(std::move(state));
  if (warms_up) model.warm_up(inputs);
  return model;
}

std::vector<Tensor> Model::predict(const std::vector<Tensor>& inputs) const {
  const Signature& signature = state_->signature;
  signature.check_inputs(inputs);
  std::vector<Tensor> outputs =
      state_->logged(inputs, [&](const Program& program) { return program.run(inputs); });
  // A native program makes them as the signature has them, and a file without a manifest promises nothing.
  if (state_->engine != Engine::native && !signature.outputs.empty())
    signature.check_outputs(outputs, inputs);
  return outputs;
}

void Model::predict(const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs) const {
  state_->logged(inputs, [&](const Program& program) {
    program.run_into(inputs, outputs, state_->signature);
    return std::vector<Tensor>();
  });
}

WarmUp Model::warm_up(const std::vector<std::vector<Tensor>>& inputs) {
  if (inputs.empty()) throw Error(ErrorCode::usage, "there are no inputs to warm up with; give some");
  for (const std::vector<Tensor>& one : inputs) state_->signature.check_inputs(one);
  WarmUp report = kit::warm_up(state_->running(), inputs);
  for (const std::vector<Tensor>& one : inputs) report.sizes.push_back(state_->signature.sizes(one));
  if (!state_->warmed_up) {
    state_->warmed_up = report;
    return report;
  }
  WarmUp& all = *state_->warmed_up;
  all.sizes.insert(all.sizes.end(), report.sizes.begin(), report.sizes.end());
  all.calls += report.calls;
  all.compilations += report.compilations;
  all.milliseconds += report.milliseconds;
  all.settled = all.settled && report.settled;
  return report;
}

Graph Model::graph(Stage stage, const std::vector<Tensor>& inputs) const {
  if (stage == Stage::optimized) state_->signature.check_inputs(inputs);
  Graph graph = state_->running().graph(stage, inputs);
  graph.stage = stage;
  graph.method = state_->method;
  return graph;
}

FusionReport Model::fusion(const std::vector<std::vector<Tensor>>& inputs, int calls) const {
  for (const std::vector<Tensor>& one : inputs) state_->signature.check_inputs(one);
  FusionReport report = state_->running().fusion(inputs, calls);
  report.method = state_->method;
  for (const std::vector<Tensor>& one : inputs) report.sizes.push_back(state_->signature.sizes(one));
  return report;
}

Bisection Model::bisect_fusion(const std::vector<std::vector<Tensor>>& inputs,
                               const BisectOptions& options) const {
  if (options.runs < 1)
    throw Error(ErrorCode::usage, "runs is " + std::to_string(options.runs) + "; give 1 or more");
  for (const std::vector<Tensor>& one : inputs) state_->signature.check_inputs(one);
  Bisection found = state_->running().bisect_fusion(inputs, options);
  found.method = state_->method;
  const auto index = static_cast<std::size_t>(found.output_index);
  const std::vector<TensorSpec>& outputs = state_->signature.outputs;
  found.output = index < outputs.size() ? outputs[index].name : std::to_string(index);
  return found;
}

void Model::update_weights(const std::string& path) {
  const Weights weights = read_weights(path, state_->signature);
  const std::lock_guard lock(state_->updating);
  const auto seed = [this] {
    if (state_->seed) state_->program->seed(static_cast<std::uint64_t>(*state_->seed));
  };
  state_->running().update_weights(weights.tensors, path, [&](const Program::Run& run) {
    replay(weights, path, state_->signature, state_->tolerances, run, seed);
  });
  // Of weights that were replaced there is nothing more to say.
  std::vector<std::string>& warnings = state_->warnings;
  if (!state_->weights_warning.empty())
    warnings.erase(std::find(warnings.begin(), warnings.end(), state_->weights_warning));
  state_->weights_warning.clear();
  if (!weights.cases.empty()) return;
  state_->weights_warning =
      path +
      ": the new weights are not verified, for there are no cases beside them; save inputs and eager outputs "
      "there, as cases/0.inputs.<name>";
  warnings.push_back(state_->weights_warning);
}

void Model::seed(std::uint64_t seed) const { state_->running().seed(seed); }

const std::string& Model::method() const noexcept { return state_->method; }
const Signature& Model::signature() const noexcept { return state_->signature; }
Engine Model::engine() const noexcept { return state_->engine; }
const std::string& Model::target() const noexcept { return state_->target; }
const Configuration& Model::configuration() const noexcept { return state_->configuration; }
const std::optional<WarmUp>& Model::warmed_up() const noexcept { return state_->warmed_up; }
const std::vector<std::string>& Model::notes() const noexcept { return state_->notes; }
const std::vector<std::string>& Model::warnings() const noexcept { return state_->warnings; }

}  // namespace kit
