#include "core/program_info.h"

#include <algorithm>
#include <set>
#include <string>

namespace kit {
namespace {

using fields::array;
using fields::count;
using fields::Fault;
using fields::Json;
using fields::member;
using fields::object;
using fields::text;

constexpr std::uint64_t constant_alignment = 64;

/// Finds what a program names among what the manifest lists.
class Reader {
 public:
  Reader(const std::vector<Method>& methods, const std::vector<MemberInfo>& members)
      : methods_(methods), members_(members) {}

  ProgramInfo program(const Json& value) const {
    ProgramInfo program{text(value, "engine", "a program"), text(value, "target", "a program"),
                        text(value, "torch", "a program")};
    if (program.engine == "torchscript") return program;
    const bool native = program.engine == "native";
    if (!native && program.engine != "aoti")
      throw Fault("a program is for the unknown engine " + program.engine);
    const std::string what = "the " + program.engine + " program for " + program.target;
    if (const auto verified = value.find("verified"); verified != value.end()) {
      if (!verified->is_boolean()) throw Fault("'verified' of " + what + " is neither true nor false");
      program.verified = verified->get<bool>();
    }
    // Without "methods" it has none that this kit could run.
    const auto methods = value.find("methods");
    if (methods == value.end()) return program;
    for (const auto& [name, entry] : object(*methods, "'methods' of " + what).items())
      program.methods[name] = method(name, entry, native, "the method '" + name + "' of " + what);
    if (program.methods.empty()) throw Fault(what + " has no methods");
    return program;
  }

 private:
  ProgramMethod method(const std::string& name, const Json& value, bool native,
                       const std::string& what) const {
    if (std::none_of(methods_.begin(), methods_.end(), [&](const Method& one) { return one.name == name; }))
      throw Fault(what + " is none of the model's");
    ProgramMethod method{text(value, native ? "library" : "package", what), {}};
    std::uint64_t size = size_of(method.member, what);
    if (!native && !value.contains("constants")) return method;
    std::uint64_t end = 0;
    for (const Json& entry : array(value, "constants", what)) {
      ConstantInfo one = constant(entry, "a constant of " + what);
      if (!native) {
        one.at = place(entry, end, size, "a constant of " + what);
        end = one.at + one.size;
        size += one.size;
      }
      method.constants.push_back(std::move(one));
    }
    return method;
  }

  /// end: of the constant before it in the package. size: of the package with the constants before it.
  static std::uint64_t place(const Json& value, std::uint64_t end, std::uint64_t size,
                             const std::string& what) {
    const auto at = static_cast<std::uint64_t>(count(member(value, "at", what), "'at' of " + what));
    if (at < end) throw Fault(what + " belongs at " + std::to_string(at) + ", within the one before it");
    if (at > size)
      throw Fault(what + " belongs at " + std::to_string(at) + ", beyond the end of the package");
    return at;
  }

  ConstantInfo constant(const Json& value, const std::string& what) const {
    ConstantInfo constant{
        text(value, "member", what),
        static_cast<std::uint64_t>(count(member(value, "offset", what), "'offset' of " + what)),
        static_cast<std::uint64_t>(count(member(value, "size", what), "'size' of " + what))};
    const std::uint64_t all = size_of(constant.member, what);
    if (constant.offset % constant_alignment != 0)
      throw Fault(what + " starts at " + std::to_string(constant.offset) + ", no multiple of " +
                  std::to_string(constant_alignment));
    if (constant.offset > all || constant.size > all - constant.offset)
      throw Fault(what + " ends beyond '" + constant.member + "'");
    return constant;
  }

  std::uint64_t size_of(const std::string& name, const std::string& what) const {
    const auto found = std::find_if(members_.begin(), members_.end(),
                                    [&](const MemberInfo& info) { return info.name == name; });
    if (found == members_.end()) throw Fault(what + " is in '" + name + "', which is not among the members");
    return found->size;
  }

  const std::vector<Method>& methods_;
  const std::vector<MemberInfo>& members_;
};

}  // namespace

std::vector<ProgramInfo> read_programs(const Json& manifest, const std::vector<Method>& methods,
                                       const std::vector<MemberInfo>& members) {
  const Reader reader(methods, members);
  std::vector<ProgramInfo> programs;
  std::set<std::string> names;
  for (const Json& value : array(manifest, "programs", "it")) {
    programs.push_back(reader.program(value));
    const std::string name = programs.back().engine + " for " + programs.back().target;
    if (!names.insert(name).second) throw Fault("the program " + name + " is listed twice");
  }
  if (programs.empty()) throw Fault("there is no program");
  return programs;
}

std::string contents_of(const Manifest& manifest, const ProgramMethod& method) {
  std::string text = manifest.digest(method.member) + "\n";
  for (const ConstantInfo& one : method.constants) {
    text += manifest.digest(one.member);
    for (const std::uint64_t number : {one.offset, one.size, one.at}) text += " " + std::to_string(number);
    text += "\n";
  }
  return text;
}

}  // namespace kit
