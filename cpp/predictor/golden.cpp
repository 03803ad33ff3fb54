#include <kit/archive.h>
#include <kit/error.h>

#include "inspect.h"

namespace kit::predictor {

namespace {

std::string counted(std::size_t count) {
  return std::to_string(count) + " golden case" + (count == 1 ? "" : "s");
}

}  // namespace

Model load_for_inspection(const Archive& archive, const InspectOptions& options) {
  return Model::load(archive, {.engine = Engine::torchscript,
                               .device = options.device,
                               .method = options.method,
                               .configuration = options.configuration});
}

std::vector<std::vector<Tensor>> golden_inputs(const Archive& archive, const InspectOptions& options) {
  if (archive.manifest() == nullptr)
    throw Error(
        ErrorCode::usage,
        archive.path() +
            " has no manifest, hence no golden cases to run; write an archive with python -m kit.export");
  std::vector<Case> cases = archive.cases(options.method);
  std::vector<std::vector<Tensor>> inputs;
  for (const std::int64_t wanted : options.cases) {
    if (wanted < 0 || static_cast<std::size_t>(wanted) >= cases.size())
      throw Error(ErrorCode::usage, "there is no case " + std::to_string(wanted) + ": the method '" +
                                        options.method + "' has " + counted(cases.size()) +
                                        ", counted from 0");
    inputs.push_back(cases[static_cast<std::size_t>(wanted)].inputs);
  }
  if (!options.cases.empty()) return inputs;
  if (cases.empty())
    throw Error(ErrorCode::usage, archive.path() + ": the method '" + options.method +
                                      "' has no golden cases to run; export the model again with some");
  for (Case& one : cases) inputs.push_back(std::move(one.inputs));
  return inputs;
}

}  // namespace kit::predictor
