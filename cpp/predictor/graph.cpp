#include <string>

#include <nlohmann/json.hpp>

#include <kit/error.h>
#include <kit/graph_diff.h>

#include "commands.h"
#include "inspect.h"

namespace kit::predictor {

namespace {

void check(const InspectOptions& options, Stage stage) {
  if (options.diff) stage_before(stage, false);
  if (!options.cases.empty() && stage != Stage::optimized)
    throw Error(ErrorCode::usage, "--case is for --stage optimized, which depends on the inputs");
  if (options.cases.size() > 1) throw Error(ErrorCode::usage, "--graph takes one --case");
}

nlohmann::json json_of(const std::string& text) { return nlohmann::json::parse(text); }

}  // namespace

void show_graph(const InspectOptions& options) {
  const Stage stage = options.stage ? stage_from_name(*options.stage) : Stage::traced;
  check(options, stage);
  const Archive archive = Archive::open(options.model);
  std::vector<Tensor> inputs;
  if (stage == Stage::optimized) inputs = golden_inputs(archive, options).front();
  const Model model = load_for_inspection(archive, options);
  for (const std::string& warning : model.warnings()) report("warning", warning);
  const Graph graph = model.graph(stage, inputs);
  std::optional<GraphDiff> difference;
  if (options.diff) {
    const Stage before = stage_before(stage, model.configuration().freeze.value_or(false));
    difference = diff(model.graph(before), graph);
  }
  if (!options.json) {
    print(difference ? difference->str() : graph.text);
    return;
  }
  nlohmann::json document = {{"configuration", json_of(model.configuration().json())},
                             {"device", options.device},
                             {"graph", json_of(graph.json())}};
  if (difference) document["diff"] = json_of(difference->json());
  print(document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace kit::predictor
