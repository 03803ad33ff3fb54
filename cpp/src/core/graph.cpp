#include <kit/graph.h>

#include <kit/error.h>

#include "core/fields.h"

namespace kit {
namespace {

using fields::Json;

Json json_of(const CodeLine& line) { return {{"file", line.file}, {"line", line.line}, {"text", line.text}}; }

Json json_of(const std::vector<GraphValue>& values) {
  Json list = Json::array();
  for (const GraphValue& value : values) list.push_back({{"name", value.name}, {"type", value.type}});
  return list;
}

Json json_of(const GraphNode& node) {
  Json root = {{"operation", node.operation}, {"inputs", node.inputs}, {"outputs", json_of(node.outputs)}};
  if (node.constant) root["constant"] = *node.constant;
  if (node.attribute) root["attribute"] = *node.attribute;
  if (node.pointwise) root["pointwise"] = *node.pointwise;
  if (node.line) root["line"] = json_of(*node.line);
  if (node.group) root["group"] = *node.group;
  if (node.parent) root["parent"] = *node.parent;
  root["block"] = node.block;
  for (const GraphBlock& block : node.blocks)
    root["blocks"].push_back({{"inputs", json_of(block.inputs)}, {"outputs", block.outputs}});
  return root;
}

}  // namespace

std::string_view name(Stage stage) noexcept {
  switch (stage) {
    case Stage::traced:
      return "traced";
    case Stage::frozen:
      return "frozen";
    case Stage::optimized:
      return "optimized";
  }
  return "traced";
}

Stage stage_from_name(std::string_view wanted) {
  for (const Stage stage : {Stage::traced, Stage::frozen, Stage::optimized})
    if (name(stage) == wanted) return stage;
  throw Error(ErrorCode::usage,
              "there is no stage '" + std::string(wanted) + "'; give traced, frozen or optimized");
}

std::string Graph::json() const {
  Json root = {{"stage", name(stage)},      {"method", method},   {"text", text},
               {"inputs", json_of(inputs)}, {"outputs", outputs}, {"nodes", Json::array()}};
  for (const GraphNode& node : nodes) root["nodes"].push_back(json_of(node));
  return root.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace kit
