#include <kit/programs.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <span>

#include "core/cases.h"
#include "core/program_info.h"
#include "core/sha256.h"

namespace kit {
namespace {

namespace fs = std::filesystem;

/// Where this user's notes are; empty without a home.
fs::path folder() {
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && *state == '/') return fs::path(state) / "kit/verified";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home == '/') return fs::path(home) / ".local/state/kit/verified";
  return {};
}

/// The digest of all that decides whether the method reproduces its cases.
std::string name_of(const Archive& archive, const ProgramInfo& program, const std::string& method) {
  const Manifest& manifest = *archive.manifest();
  const std::string text =
      contents_of(manifest, program.methods.at(method)) + manifest.digest(cases_member(method)) + "\n";
  return sha256_hex(std::as_bytes(std::span(text)));
}

}  // namespace

bool is_verified(const Archive& archive, const ProgramInfo& program, const std::string& method) {
  if (program.verified || !program.methods.contains(method)) return program.verified;
  const fs::path notes = folder();
  std::error_code ignored;  // what cannot be looked at is not there
  return !notes.empty() && fs::exists(notes / name_of(archive, program, method), ignored);
}

std::optional<std::string> record_verified(const Archive& archive, const ProgramInfo& program,
                                           const std::string& method) {
  const fs::path notes = folder();
  if (notes.empty()) return "there is no home directory; set HOME or XDG_STATE_HOME";
  std::error_code error;
  fs::create_directories(notes, error);
  if (error) return notes.string() + " cannot be made: " + error.message();
  const std::string path = notes / name_of(archive, program, method);
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) return path + " cannot be written: " + std::strerror(errno);
  ::close(file);
  return std::nullopt;
}

}  // namespace kit
