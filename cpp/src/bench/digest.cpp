#include "bench/digest.h"

#include <span>

#include "core/sha256.h"

namespace kit::bench {

std::string program_digest(const Manifest& manifest, const ProgramInfo& program, const std::string& method) {
  std::string text = program.engine + " " + program.target + " " + method + "\n";
  const auto add = [&](const std::string& name, const std::string& what) {
    for (const MemberInfo& member : manifest.members)
      if (member.name == name) text += what + " " + member.sha256 + "\n";
  };
  if (const auto compiled = program.methods.find(method); compiled != program.methods.end()) {
    add(compiled->second.member, "program");
    for (const ConstantInfo& constant : compiled->second.constants)
      add(constant.member, std::to_string(constant.offset) + " " + std::to_string(constant.size));
  } else {
    // All that torch wrote is the TorchScript program.
    for (const MemberInfo& member : manifest.members)
      if (!member.name.starts_with("extra/kit/")) add(member.name, member.name);
  }
  return sha256_hex(std::as_bytes(std::span(text)));
}

}  // namespace kit::bench
