#include <kit/manifest.h>

#include <cmath>
#include <set>

#include <nlohmann/json.hpp>

namespace kit {
namespace {

using Json = nlohmann::json;

/// What is wrong with a manifest; `Manifest::parse` adds where.
struct Fault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

const Json& member(const Json& object, const char* key, const std::string& what) {
  if (!object.is_object()) throw Fault(what + " is no object");
  const auto found = object.find(key);
  if (found == object.end()) throw Fault(what + " has no '" + key + "'");
  return *found;
}

std::string text(const Json& object, const char* key, const std::string& what) {
  const Json& value = member(object, key, what);
  if (!value.is_string() || value.get_ref<const std::string&>().empty())
    throw Fault("'" + std::string(key) + "' of " + what + " is no text");
  return value.get<std::string>();
}

/// Reads a count, which is never negative and fits std::int64_t.
std::int64_t count(const Json& value, const std::string& what) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX))
    throw Fault(what + " is no count");
  return value.get<std::int64_t>();
}

const Json& array(const Json& object, const char* key, const std::string& what) {
  const Json& value = member(object, key, what);
  if (!value.is_array()) throw Fault("'" + std::string(key) + "' of " + what + " is no list");
  return value;
}

std::vector<Dim> read_dims(const Json& value) {
  if (!value.is_object()) throw Fault("'dims' of the signature is no object");
  std::vector<Dim> dims;
  for (const auto& [name, range] : value.items()) {
    const std::string what = "dim '" + name + "'";
    if (name.empty()) throw Fault("a dim has no name");
    Dim dim{name, count(member(range, "min", what), "'min' of " + what),
            count(member(range, "max", what), "'max' of " + what)};
    if (dim.min > dim.max) throw Fault(what + " has a min above its max");
    dims.push_back(std::move(dim));
  }
  return dims;
}

DimSpec read_size(const Json& value, const std::vector<Dim>& dims, const std::string& what) {
  if (!value.is_string()) return {count(value, "a size of " + what), -1};
  const auto& name = value.get_ref<const std::string&>();
  for (std::size_t i = 0; i < dims.size(); ++i)
    if (dims[i].name == name) return {0, static_cast<std::int32_t>(i)};
  throw Fault(what + " names the dim '" + name + "', which is not declared");
}

std::vector<TensorSpec> read_specs(const Json& list, const std::vector<Dim>& dims, const std::string& kind) {
  std::vector<TensorSpec> specs;
  std::set<std::string> names;
  for (const Json& value : list) {
    TensorSpec spec;
    spec.name = text(value, "name", "an " + kind);
    const std::string what = kind + " '" + spec.name + "'";
    if (!names.insert(spec.name).second) throw Fault(what + " is listed twice");
    const std::string dtype = text(value, "dtype", what);
    spec.dtype = dtype_from_name(dtype);
    if (!spec.dtype) throw Fault(what + " has the unknown dtype " + dtype);
    spec.shape.emplace();
    for (const Json& size : array(value, "shape", what)) spec.shape->push_back(read_size(size, dims, what));
    specs.push_back(std::move(spec));
  }
  return specs;
}

Tolerances read_tolerances(const Json& value) {
  if (!value.is_object()) throw Fault("'tolerances' is no object");
  Tolerances tolerances;
  for (const auto& [name, pair] : value.items()) {
    const auto dtype = dtype_from_name(name);
    if (!dtype) throw Fault("a tolerance is for the unknown dtype " + name);
    const auto number = [&, &name = name, &pair = pair](const char* key) {
      const Json& entry = member(pair, key, "the tolerance of " + name);
      if (!entry.is_number() || !std::isfinite(entry.get<double>()) || entry.get<double>() < 0)
        throw Fault("'" + std::string(key) + "' of the tolerance of " + name + " is no number of at least 0");
      return entry.get<double>();
    };
    tolerances[*dtype] = {number("rtol"), number("atol")};
  }
  return tolerances;
}

std::vector<ProgramInfo> read_programs(const Json& list) {
  static const std::set<std::string> known{"torchscript", "aoti", "native"};
  std::vector<ProgramInfo> programs;
  for (const Json& value : list) {
    ProgramInfo program{text(value, "engine", "a program"), text(value, "target", "a program"),
                        text(value, "torch", "a program")};
    if (known.count(program.engine) == 0)
      throw Fault("a program is for the unknown engine " + program.engine);
    programs.push_back(std::move(program));
  }
  if (programs.empty()) throw Fault("there is no program");
  return programs;
}

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
  if (!value.is_object()) throw Fault("'provenance' is no object");
  std::map<std::string, std::string> provenance;
  for (const auto& [key, entry] : value.items()) {
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
  const Json& signature = member(root, "signature", what);
  manifest.signature.dims = read_dims(member(signature, "dims", "the signature"));
  const std::vector<Dim>& dims = manifest.signature.dims;
  manifest.signature.inputs = read_specs(array(signature, "inputs", "the signature"), dims, "input");
  manifest.signature.outputs = read_specs(array(signature, "outputs", "the signature"), dims, "output");
  manifest.programs = read_programs(array(root, "programs", what));
  manifest.cases = count(member(member(root, "cases", what), "count", "'cases'"), "'count' of 'cases'");
  manifest.tolerances = read_tolerances(member(root, "tolerances", what));
  manifest.members = read_members(array(root, "members", what));
  manifest.provenance = read_provenance(member(root, "provenance", what));
  return manifest;
}

}  // namespace

Manifest Manifest::parse(std::string_view json, const std::string& where) {
  const auto refuse = [&](const std::string& reason) -> Error {
    return {ErrorCode::archive, where + ": bad manifest: " + reason + "; export the model again"};
  };
  try {
    const Json root = Json::parse(json);
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

}  // namespace kit
