#include "core/choose.h"

#include <array>
#include <optional>

namespace kit {
namespace {

constexpr std::array fastest_first{Engine::native, Engine::aoti, Engine::torchscript};

bool has_program(const Archive& archive, Engine engine) {
  const Manifest* manifest = archive.manifest();
  if (manifest == nullptr) return engine == Engine::torchscript;  // an archive from elsewhere is TorchScript
  for (const ProgramInfo& program : manifest->programs)
    if (program.engine == name(engine)) return true;
  return false;
}

/// Why the engine cannot be taken, or nothing if it can.
std::optional<std::string> obstacle(const Archive& archive, Engine engine) {
  if (!has_program(archive, engine)) return std::string(name(engine)) + ": the archive has no such program";
  if (engine != Engine::torchscript)
    return std::string(name(engine)) + ": this version of kit cannot run such programs";
  return std::nullopt;
}

}  // namespace

std::string_view name(Engine engine) noexcept {
  switch (engine) {
    case Engine::automatic:
      return "auto";
    case Engine::torchscript:
      return "torchscript";
    case Engine::aoti:
      return "aoti";
    case Engine::native:
      return "native";
  }
  return "auto";
}

Engine engine_from_name(std::string_view text) {
  for (const Engine engine : {Engine::automatic, Engine::torchscript, Engine::aoti, Engine::native})
    if (name(engine) == text) return engine;
  throw Error(ErrorCode::usage,
              "'" + std::string(text) + "' is no engine; give auto, torchscript, aoti or native");
}

Choice choose(const Archive& archive, Engine asked) {
  Choice choice;
  std::optional<Engine> taken;
  for (const Engine engine : fastest_first) {
    const bool wanted = asked == Engine::automatic || asked == engine;
    const auto reason = obstacle(archive, engine);
    if (wanted && !taken && !reason)
      taken = engine;
    else if (wanted && reason)
      choice.notes.push_back(*reason);
  }
  if (!taken) {
    std::string reasons;
    for (const std::string& note : choice.notes) reasons += (reasons.empty() ? "" : "; ") + note;
    throw Error(ErrorCode::unavailable, archive.path() + ": no program can be run here: " + reasons);
  }
  choice.engine = *taken;
  return choice;
}

}  // namespace kit
