#include <kit/programs.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "core/host.h"

namespace kit {
namespace {

std::uint64_t size_of(const Archive& archive, const ProgramInfo& program) {
  std::uint64_t size = 0;
  if (program.engine == "torchscript") {
    for (const MemberInfo& member : archive.manifest()->members)
      if (!member.name.starts_with("extra/kit/")) size += member.size;
    return size;
  }
  std::set<std::string_view> members;
  for (const auto& [name, method] : program.methods) members.insert(method.member);
  for (const std::string_view member : members) size += archive.member(member).size();
  return size;
}

/// Of several methods, each constant once.
std::uint64_t constants_of(const ProgramInfo& program) {
  std::set<std::pair<std::string_view, std::uint64_t>> seen;
  std::uint64_t size = 0;
  for (const auto& [name, method] : program.methods)
    for (const ConstantInfo& constant : method.constants)
      if (seen.insert({constant.member, constant.offset}).second) size += constant.size;
  return size;
}

}  // namespace

std::string obstacle_here(const ProgramInfo& program) { return Host::here().obstacle(program); }

std::vector<ProgramStatus> programs(const Archive& archive) {
  const Host host = Host::here();
  const Manifest* manifest = archive.manifest();
  if (manifest == nullptr) {
    const ProgramInfo program{"torchscript", "any", ""};
    return {{program, host.obstacle(program), true, archive.bytes().size(), 0}};
  }
  std::vector<ProgramStatus> result;
  for (const ProgramInfo& program : manifest->programs) {
    const bool verified = std::all_of(program.methods.begin(), program.methods.end(), [&](const auto& entry) {
      return is_verified(archive, program, entry.first);
    });
    result.push_back(
        {program, host.obstacle(program), verified, size_of(archive, program), constants_of(program)});
  }
  return result;
}

}  // namespace kit
