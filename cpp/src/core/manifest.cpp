#include <kit/manifest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "core/configuration.h"
#include "core/fields.h"
#include "core/method.h"
#include "core/program_info.h"

namespace kit {
namespace {

using fields::array;
using fields::count;
using fields::Fault;
using fields::Json;
using fields::member;
using fields::object;
using fields::text;

std::vector<MemberInfo> read_members(const Json& list) {
  std::vector<MemberInfo> members;
  std::set<std::string> names;
  for (const Json& value : list) {
    MemberInfo info;
    info.name = text(value, "name", "a member");
    const std::string what = "member '" + info.name + "'";
    if (!names.insert(info.name).second) throw Fault(what + " is listed twice");
    info.size = static_cast<std::uint64_t>(count(member(value, "size", what), "'size' of " + what));
    info.sha256 = text(value, "sha256", what);
    if (info.sha256.size() != 64 || info.sha256.find_first_not_of("0123456789abcdef") != std::string::npos)
      throw Fault(what + " has a sha256 that is not 64 hexadecimal digits");
    members.push_back(std::move(info));
  }
  if (members.empty()) throw Fault("there are no members");
  return members;
}

std::map<std::string, std::string> read_provenance(const Json& value) {
  std::map<std::string, std::string> provenance;
  for (const auto& [key, entry] : object(value, "'provenance'").items()) {
    if (!entry.is_string()) throw Fault("'" + key + "' of the provenance is no text");
    provenance[key] = entry.get<std::string>();
  }
  return provenance;
}

Manifest read(const Json& root) {
  const std::string what = "it";
  Manifest manifest;
  manifest.format = count(member(root, "format", what), "'format'");
  manifest.name = text(root, "name", what);
  manifest.methods = read_methods(root);
  manifest.configuration = read_configuration(root);
  manifest.members = read_members(array(root, "members", what));
  manifest.programs = read_programs(root, manifest.methods, manifest.members);
  manifest.provenance = read_provenance(member(root, "provenance", what));
  return manifest;
}

/// The values of a text in which no object has a key twice: readers would take one or the other.
Json parse_json(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) throw Fault("it begins with a byte order mark");
  std::vector<std::set<std::string>> keys;
  return Json::parse(text, [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second)
      throw Fault("an object has the key '" + parsed.get<std::string>() + "' twice");
    return true;
  });
}

}  // namespace

Manifest Manifest::parse(std::string_view json, const std::string& where) {
  const auto refuse = [&](const std::string& reason) -> Error {
    return {ErrorCode::archive, where + ": bad manifest: " + reason + "; export the model again"};
  };
  try {
    const Json root = parse_json(json);
    // The format comes first: a newer one may change everything else.
    const std::int64_t format = count(member(root, "format", "it"), "'format'");
    if (format < 1) throw Fault("'format' is " + std::to_string(format));
    if (format > archive_format)
      throw Error(ErrorCode::archive, where + ": archive format " + std::to_string(format) +
                                          " is newer than the " + std::to_string(archive_format) +
                                          " that this kit reads; update kit");
    Manifest manifest = read(root);
    manifest.json = std::string(json);
    return manifest;
  } catch (const Fault& fault) {
    throw refuse(fault.what());
  } catch (const Json::exception&) {
    throw refuse("it is no valid JSON");
  }
}

const Method& Manifest::method(std::string_view wanted) const {
  const auto found =
      std::find_if(methods.begin(), methods.end(), [&](const Method& one) { return one.name == wanted; });
  if (found != methods.end()) return *found;
  std::string names;
  for (const Method& one : methods) names += (names.empty() ? "" : ", ") + one.name;
  throw Error(ErrorCode::usage, "the model '" + name + "' has no method '" + std::string(wanted) +
                                    "'; give one that it has: " + names);
}

std::string Manifest::digest(std::string_view member) const {
  const auto found =
      std::find_if(members.begin(), members.end(), [&](const MemberInfo& one) { return one.name == member; });
  return found == members.end() ? std::string() : found->sha256;
}

}  // namespace kit
