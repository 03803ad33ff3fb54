#include <kit/graph_diff.h>

#include "core/fields.h"

namespace kit {
namespace {

using fields::Json;

std::string counted(std::int64_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::string text_of(const DiffOperation& operation) {
  std::string place;
  if (!operation.value.empty()) place = "%" + operation.value;
  if (operation.line)
    place += (place.empty() ? "" : ", ") + operation.line->file + ":" + std::to_string(operation.line->line);
  return operation.operation + (place.empty() ? "" : " (" + place + ")");
}

template <typename List, typename Text>
std::string joined(const List& list, const Text& text) {
  std::string all;
  for (const auto& one : list) all += (all.empty() ? "" : ", ") + text(one);
  return all;
}

std::string joined(const std::vector<DiffOperation>& operations) {
  return joined(operations, [](const DiffOperation& one) { return one.operation; });
}

std::string text_of(const DiffFolded& folded) {
  if (folded.constant.empty())
    return "computed beforehand, for constants alone: " + joined(folded.operations);
  const std::string what = folded.expression.empty() ? joined(folded.operations) : folded.expression;
  return "folded into the constant " + folded.constant + " (%" + folded.value + "): " + what;
}

std::string text_of(const DiffRewritten& rewritten) {
  std::string text = "rewritten: " + joined(rewritten.before, [](const auto& one) { return text_of(one); });
  if (rewritten.after.empty()) return text + ": no operation of the later graph does its work alone";
  text += " became " + joined(rewritten.after, [](const auto& one) { return text_of(one); });
  return rewritten.weights ? text + " with other weights" : text;
}

Json json_of(const DiffOperation& operation) {
  Json root = {{"operation", operation.operation}};
  if (!operation.value.empty()) root["value"] = operation.value;
  if (const auto& line = operation.line)
    root["line"] = {{"file", line->file}, {"line", line->line}, {"text", line->text}};
  return root;
}

Json json_of(const std::vector<DiffOperation>& operations) {
  Json list = Json::array();
  for (const DiffOperation& operation : operations) list.push_back(json_of(operation));
  return list;
}

Json json_of(const DiffFolded& folded) {
  Json root = {{"operations", json_of(folded.operations)}};
  if (!folded.expression.empty()) root["expression"] = folded.expression;
  if (!folded.constant.empty()) root["constant"] = folded.constant, root["value"] = folded.value;
  return root;
}

Json json_of(const DiffRewritten& rewritten) {
  return {{"before", json_of(rewritten.before)},
          {"after", json_of(rewritten.after)},
          {"weights", rewritten.weights}};
}

Json json_of(const DiffGroup& group) {
  return {{"group", group.group}, {"operations", json_of(group.operations)}};
}

Json json_of(const DiffAlone& alone) {
  Json root = json_of(alone.operation);
  root["pointwise"] = alone.pointwise;
  return root;
}

Json json_of(const DiffAdded& added) {
  Json root = json_of(added.operation);
  if (!added.purpose.empty()) root["purpose"] = added.purpose;
  return root;
}

template <typename One>
Json json_list(const std::vector<One>& list) {
  Json all = Json::array();
  for (const One& one : list) all.push_back(json_of(one));
  return all;
}

}  // namespace

std::string GraphDiff::str() const {
  std::string text = "from " + std::string(name(before)) + ", " + counted(operations_before, "operation") +
                     ", to " + std::string(name(after)) + ", " + counted(operations_after, "operation") +
                     "\n";
  const auto add = [&](const std::string& line) { text += "  " + line + "\n"; };
  for (const DiffOperation& one : removed) add("removed, as nothing uses it: " + text_of(one));
  for (const DiffFolded& one : folded) add(text_of(one));
  if (!weights.empty())
    add("weights that became constants: " + joined(weights, [](const std::string& path) { return path; }));
  for (const DiffOperation& one : left_out) add("left out, what follows takes its input: " + text_of(one));
  for (const DiffOperation& one : merged) add("merged with an equal one: " + text_of(one));
  for (const DiffRewritten& one : rewritten) add(text_of(one));
  for (const DiffGroup& one : fused)
    add("fused into group " + std::to_string(one.group) + ": " + joined(one.operations));
  for (const DiffAlone& one : alone)
    add("in no group: " + text_of(one.operation) + (one.pointwise ? "" : ", it is not pointwise"));
  for (const DiffAdded& one : added)
    add("added: " + text_of(one.operation) + (one.purpose.empty() ? "" : ", " + one.purpose));
  add("in both: " + counted(unchanged, "operation"));
  return text;
}

std::string GraphDiff::json() const {
  const Json root = {{"before", name(before)},
                     {"after", name(after)},
                     {"operations_before", operations_before},
                     {"operations_after", operations_after},
                     {"unchanged", unchanged},
                     {"removed", json_of(removed)},
                     {"folded", json_list(folded)},
                     {"weights", weights},
                     {"left_out", json_of(left_out)},
                     {"merged", json_of(merged)},
                     {"rewritten", json_list(rewritten)},
                     {"fused", json_list(fused)},
                     {"alone", json_list(alone)},
                     {"added", json_list(added)}};
  return root.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace kit
