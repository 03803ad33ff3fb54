#include "core/host.h"

#include <kit/version.h>

#include "core/gpu.h"

namespace kit {
namespace {

/// "2.13" of "2.13.0".
std::string minor_version(const std::string& version) {
  return version.substr(0, version.find('.', version.find('.') + 1));
}

}  // namespace

Host Host::here() { return {host_isa(), torch_version, gpu_target}; }

bool for_cuda(const ProgramInfo& program) { return program.target.starts_with("cuda:"); }

std::string Host::obstacle(const ProgramInfo& program, std::optional<int> device) const {
  if (program.engine != "native" && torch.empty()) return "this kit was built without torch";
  if (program.engine == "torchscript") return {};
  const std::string made = "made for " + program.target;
  if (program.engine == "aoti") {
    if (minor_version(torch) != minor_version(program.torch))
      return "made with torch " + program.torch + ", and this kit is for torch " + minor_version(torch);
  }
  if (program.engine == "aoti" && for_cuda(program)) {
    const std::string found = gpu_obstacle(program.target, device);
    return found.empty() ? "" : made + ", and " + found;
  }
  const auto wanted = isa_from_name(program.target);
  if (!wanted) return made + ", which this version of kit does not know";
  return isa < *wanted ? made + ", and this host has " + std::string(name(isa)) : "";
}

std::string Host::gpu_obstacle(const std::string& target, std::optional<int> device) const {
  const auto own = [this](int index) { return gpu ? gpu(index) : std::string(); };
  if (device) {
    if (own(*device).empty()) return "this host has no CUDA device " + std::to_string(*device);
    return own(*device) == target ? "" : "the CUDA device " + std::to_string(*device) + " is " + own(*device);
  }
  std::string here;
  for (int index = 0; !own(index).empty(); ++index) {
    if (own(index) == target) return "";
    here += (index == 0 ? "" : ", ") + own(index);
  }
  return here.empty() ? "this host has no CUDA device" : "the CUDA devices here are " + here;
}

}  // namespace kit
