#include "core/method.h"

#include <cmath>
#include <set>

namespace kit {
namespace {

using fields::array;
using fields::count;
using fields::Fault;
using fields::Json;
using fields::member;
using fields::object;
using fields::text;

std::vector<Dim> read_dims(const Json& value) {
  std::vector<Dim> dims;
  for (const auto& [name, range] : object(value, "'dims' of the signature").items()) {
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
  Tolerances tolerances;
  for (const auto& [name, pair] : object(value, "'tolerances'").items()) {
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

std::map<std::string, std::vector<std::int64_t>> read_tried(const Json& dims) {
  std::map<std::string, std::vector<std::int64_t>> tried;
  for (const auto& [name, dim] : dims.items()) {
    if (!dim.contains("tried")) continue;
    const std::string what = "dim '" + name + "'";
    for (const Json& size : array(dim, "tried", what))
      tried[name].push_back(count(size, "a size that was tried of " + what));
  }
  return tried;
}

bool read_rows(const Json& root, const std::string& what) {
  if (!root.contains("rows")) return false;
  const std::string said = text(root, "rows", what);
  if (said != "dependent") throw Fault("'rows' of " + what + " is '" + said + "'");
  return true;
}

/// Reads what `root` says of a method: `root` is the manifest itself, or an entry of "methods".
Method read_method(std::string name, const Json& root, const std::string& what) {
  Method method;
  method.name = std::move(name);
  const Json& signature = member(root, "signature", what);
  const Json& dims = member(signature, "dims", "the signature");
  method.signature.dims = read_dims(dims);
  method.signature.inputs =
      read_specs(array(signature, "inputs", "the signature"), method.signature.dims, "input");
  method.signature.outputs =
      read_specs(array(signature, "outputs", "the signature"), method.signature.dims, "output");
  method.tried = read_tried(dims);
  const Json& cases = member(root, "cases", what);
  method.cases = count(member(cases, "count", "'cases'"), "'count' of 'cases'");
  if (const auto seed = cases.find("seed"); seed != cases.end())
    method.seed = count(*seed, "'seed' of 'cases'");
  method.tolerances = read_tolerances(member(root, "tolerances", what));
  method.rows_depend = read_rows(root, what);
  return method;
}

/// Whether the text is a name in Python and in TorchScript, hence safe in a member's name, too.
bool is_identifier(const std::string& name) {
  constexpr const char* letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
  const auto rest = name.find_first_not_of(std::string(letters) + "0123456789");
  return name.find_first_of(letters) == 0 && rest == std::string::npos;
}

}  // namespace

std::vector<Method> read_methods(const Json& manifest) {
  std::vector<Method> methods{read_method("forward", manifest, "it")};
  const auto others = manifest.find("methods");
  if (others == manifest.end()) return methods;
  for (const auto& [name, root] : object(*others, "'methods'").items()) {
    if (!is_identifier(name) || name == "forward")
      throw Fault("'methods' has '" + name + "', which is no name of a further method");
    try {
      methods.push_back(read_method(name, root, "it"));
    } catch (const Fault& fault) {
      throw Fault("method '" + name + "': " + fault.what());
    }
  }
  return methods;
}

}  // namespace kit
