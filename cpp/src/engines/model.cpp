#include <kit/model.h>

#include "core/choose.h"
#include "engines/library.h"

namespace kit {

struct Model::State {
  std::string method;
  Signature signature;
  Engine engine = Engine::torchscript;
  std::vector<std::string> notes;
  std::vector<std::string> warnings;
  std::unique_ptr<const Program> program;
};

Model::Model(std::unique_ptr<State> state) : state_(std::move(state)) {}
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

Model Model::load(const std::string& path, const Options& options) {
  return load(Archive::open(path), options);
}

Model Model::load(const Archive& archive, const Options& options) {
  const Device device = Device::parse(options.device);
  if (options.threads < 0)
    throw Error(ErrorCode::usage,
                std::to_string(options.threads) + " threads were asked for; give 1 or more");
  const Manifest* manifest = archive.manifest();
  const Method* method = manifest != nullptr ? &manifest->method(options.method) : nullptr;
  Choice choice = choose(archive, options.engine);
  auto state = std::make_unique<State>();
  state->method = options.method;
  state->engine = choice.engine;
  state->notes = std::move(choice.notes);
  state->program.reset(engine_loader(choice.engine)(archive, options.method, device, options.threads));
  if (method != nullptr) {
    state->signature = method->signature;
  } else {
    for (std::string& name : state->program->input_names())
      state->signature.inputs.push_back({std::move(name), std::nullopt, std::nullopt});
    state->warnings.push_back(
        archive.path() +
        ": no manifest: neither the file's integrity, nor the inputs' dtypes and shapes, nor "
        "the outputs can be checked; write an archive with python -m kit.export");
  }
  return Model(std::move(state));
}

std::vector<Tensor> Model::predict(const std::vector<Tensor>& inputs) const {
  state_->signature.check_inputs(inputs);
  return state_->program->run(inputs);
}

void Model::seed(std::uint64_t seed) const { state_->program->seed(seed); }

const std::string& Model::method() const noexcept { return state_->method; }
const Signature& Model::signature() const noexcept { return state_->signature; }
Engine Model::engine() const noexcept { return state_->engine; }
const std::vector<std::string>& Model::notes() const noexcept { return state_->notes; }
const std::vector<std::string>& Model::warnings() const noexcept { return state_->warnings; }

}  // namespace kit
