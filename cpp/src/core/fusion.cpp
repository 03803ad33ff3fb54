#include "core/fusion.h"

namespace kit {
namespace {

using fields::Json;

Json json_of(const FusionGroup& group) {
  Json root = {{"name", group.name},       {"operations", Json::array()}, {"dynamic", group.dynamic},
               {"inputs", group.inputs},   {"runs", group.runs},          {"fallbacks", group.fallbacks},
               {"counted", group.counted}, {"language", group.language},  {"source", group.source}};
  for (const FusedOperation& one : group.operations) root["operations"].push_back(json_of(one));
  if (group.instead_of) root["instead_of"] = *group.instead_of;
  return root;
}

Json json_of(const LeftOut& one) {
  Json root = json_of(one.operation);
  root["reason"] = one.reason;
  if (one.instead_of) root["instead_of"] = *one.instead_of;
  return root;
}

}  // namespace

Json json_of(const FusedOperation& one) {
  Json root = {{"operation", one.operation}};
  if (one.line) root["line"] = {{"file", one.line->file}, {"line", one.line->line}, {"text", one.line->text}};
  return root;
}

std::string FusionReport::json() const {
  Json root = {{"method", method},
               {"device", device},
               {"torch", torch},
               {"configuration", Json::parse(configuration.json())},
               {"sizes", sizes},
               {"calls", calls},
               {"compilations", compilations},
               {"groups", Json::array()},
               {"left_out", Json::array()}};
  for (const FusionGroup& group : groups) root["groups"].push_back(json_of(group));
  for (const LeftOut& one : left_out) root["left_out"].push_back(json_of(one));
  if (note) root["note"] = *note;
  return root.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace kit
