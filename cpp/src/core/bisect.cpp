#include <kit/bisect.h>

#include "core/fusion.h"

namespace kit {
namespace {

using fields::Json;

Json json_of(const std::vector<FusedOperation>& operations) {
  Json list = Json::array();
  for (const FusedOperation& one : operations) list.push_back(json_of(one));
  return list;
}

Json json_of(const Difference& difference) {
  return {{"within", difference.within},
          {"bit_equal", difference.bit_equal},
          {"max_abs", difference.max_abs},
          {"max_rel", difference.max_rel},
          {"reason", difference.reason}};
}

Json json_of(const GroupCheck& group) {
  return {{"name", group.name},
          {"operations", json_of(group.operations)},
          {"dynamic", group.dynamic},
          {"depth", group.depth},
          {"difference", json_of(group.difference)}};
}

}  // namespace

std::string Bisection::json() const {
  Json root = {{"method", method},       {"device", device},
               {"torch", torch},         {"configuration", Json::parse(configuration.json())},
               {"cases", cases},         {"runs", runs},
               {"differs", differs},     {"difference", json_of(difference)},
               {"groups", Json::array()}};
  if (differs) root.update({{"case", case_index}, {"run", run}, {"output", output}});
  for (const GroupCheck& one : groups) root["groups"].push_back(json_of(one));
  if (group) root["group"] = *group;
  if (operation) root["operation"] = json_of(*operation);
  if (repro)
    root["repro"] = {{"operations", json_of(repro->operations)},
                     {"dynamic", repro->dynamic},
                     {"difference", json_of(repro->difference)}};
  return root.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace kit
