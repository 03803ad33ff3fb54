#include "core/choose.h"

#include <algorithm>
#include <array>
#include <optional>

namespace kit {
namespace {

constexpr std::array fastest_first{Engine::native, Engine::aoti, Engine::torchscript};

/// The programs of the engine, those for the better targets first: their names sort as they should.
std::vector<ProgramInfo> programs_of(const Archive& archive, const Wanted& wanted, Engine engine) {
  const Manifest* manifest = archive.manifest();
  std::vector<ProgramInfo> programs;
  if (manifest == nullptr) {
    // An archive from elsewhere is TorchScript.
    if (engine == Engine::torchscript) programs.push_back({"torchscript", "any", ""});
    return programs;
  }
  for (const ProgramInfo& program : manifest->programs)
    if (program.engine == name(engine) && (wanted.target.empty() || program.target == wanted.target))
      programs.push_back(program);
  std::sort(programs.begin(), programs.end(),
            [](const ProgramInfo& one, const ProgramInfo& other) { return one.target > other.target; });
  return programs;
}

/// Takes the best program of the engine, if one can be taken, and notes why better ones cannot.
bool take(const Archive& archive, const Wanted& wanted, const Host& host, Engine engine, Choice& choice) {
  const std::vector<ProgramInfo> programs = programs_of(archive, wanted, engine);
  const std::string prefix = std::string(name(engine)) + ": ";
  if (programs.empty())
    choice.notes.push_back(prefix + "the archive has no such program" +
                           (wanted.target.empty() ? "" : " for " + wanted.target));
  for (const ProgramInfo& program : programs) {
    const std::string reason = obstacle(program, wanted, host);
    if (reason.empty()) {
      choice.engine = engine;
      choice.program = program;
      return true;
    }
    choice.notes.push_back(prefix + reason);
  }
  return false;
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

std::string obstacle(const ProgramInfo& program, const Wanted& wanted, const Host& host) {
  if (program.engine == "torchscript") return host.obstacle(program);
  if (!program.methods.contains(wanted.method))
    return "the one for " + program.target + " has no method '" + wanted.method + "'";
  const bool on_cuda = wanted.device.kind == Device::Kind::cuda;
  if (for_cuda(program) && !on_cuda)
    return "made for " + program.target + ", and the device is cpu (give the device cuda)";
  if (!for_cuda(program) && on_cuda)
    return "made for the CPU, " + program.target + ", and the device is " + wanted.device.str();
  return host.obstacle(program, wanted.device.index);
}

Choice choose(const Archive& archive, const Wanted& wanted, const Host& host) {
  Choice choice;
  for (const Engine engine : fastest_first)
    if ((wanted.engine == Engine::automatic || wanted.engine == engine) &&
        take(archive, wanted, host, engine, choice))
      return choice;
  std::string reasons;
  for (const std::string& note : choice.notes) reasons += (reasons.empty() ? "" : "; ") + note;
  throw Error(ErrorCode::unavailable, archive.path() + ": no program can be run here: " + reasons);
}

}  // namespace kit
