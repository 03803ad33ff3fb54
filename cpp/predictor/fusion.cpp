#include <string>

#include <nlohmann/json.hpp>

#include <kit/fusion.h>

#include "commands.h"
#include "inspect.h"

namespace kit::predictor {

void show_fusion(const InspectOptions& options) {
  const Archive archive = Archive::open(options.model);
  const Model model = load_for_inspection(archive, options);
  for (const std::string& warning : model.warnings()) report("warning", warning);
  const FusionReport fusion = model.fusion(golden_inputs(archive, options), options.calls);
  if (!options.json) {
    print(fusion.str(options.source));
    return;
  }
  nlohmann::json document = nlohmann::json::parse(fusion.json());
  document["archive"] = archive.path();
  print(document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace kit::predictor
