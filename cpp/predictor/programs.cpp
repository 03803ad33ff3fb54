#include <kit/programs.h>

#include <nlohmann/json.hpp>

#include "commands.h"
#include "core/host.h"
#include "inspect.h"

namespace kit::predictor {

std::string thousands(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, ",");
  return text;
}

std::vector<std::string> describe_programs(const Archive& archive) {
  std::vector<std::string> lines;
  for (const ProgramStatus& status : programs(archive)) {
    const ProgramInfo& program = status.program;
    std::string line = program.engine + "  for " + program.target;
    if (!program.torch.empty()) line += ", made with torch " + program.torch;
    line += ", " + thousands(status.size) + " bytes";
    if (status.constants > 0) line += " and " + thousands(status.constants) + " of constants";
    if (!status.verified) line += ", unverified";
    lines.push_back(line +
                    (status.obstacle.empty() ? ": runs here" : ": cannot run here: " + status.obstacle));
  }
  return lines;
}

void show_programs(const InspectOptions& options) {
  const Archive archive = Archive::open(options.model);
  if (!options.json) {
    std::string text;
    for (const std::string& line : describe_programs(archive)) text += line + "\n";
    print(text);
    return;
  }
  const Host host = Host::here();
  nlohmann::json list = nlohmann::json::array();
  for (const ProgramStatus& status : programs(archive))
    list.push_back({{"engine", status.program.engine},
                    {"target", status.program.target},
                    {"torch", status.program.torch},
                    {"runs", status.obstacle.empty()},
                    {"obstacle", status.obstacle},
                    {"verified", status.verified},
                    {"size", status.size},
                    {"constants", status.constants}});
  const nlohmann::json document = {{"archive", archive.path()},
                                   {"host", {{"isa", name(host.isa)}, {"torch", host.torch}}},
                                   {"programs", list}};
  print(document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace kit::predictor
