#include <kit/archive.h>

#include <algorithm>
#include <map>

#include <zlib.h>

#include "core/file.h"
#include "core/sha256.h"
#include "core/zip.h"

namespace kit {
namespace {

constexpr std::string_view own_folder = "extra/kit/";
constexpr std::string_view manifest_name = "extra/kit/manifest.json";

}  // namespace

struct Archive::State {
  std::string path;
  std::optional<MappedFile> file;  ///< what the bytes are, or
  std::vector<std::byte> memory;
  std::span<const std::byte> bytes;
  std::vector<std::string> names;
  std::map<std::string, std::span<const std::byte>, std::less<>> contents;  ///< of members that are stored
  std::optional<Manifest> manifest;

  [[noreturn]] void refuse(const std::string& reason) const {
    throw Error(ErrorCode::archive, path + ": " + reason);
  }

  void read_names(const zip::Directory& directory);
  void read_manifest(const zip::Directory& directory);
  void check_code() const;
  void check_members() const;
  bool matches(std::span<const std::byte> found, const MemberInfo& info) const;
  void check();
};

/// Takes the names without the root folder, which is the one that all members are in.
void Archive::State::read_names(const zip::Directory& directory) {
  if (directory.entries.empty()) refuse("the archive is empty; export the model again");
  const std::string& first = directory.entries.front().name;
  const std::string root = first.substr(0, first.find('/') + 1);
  for (const zip::Entry& entry : directory.entries) {
    if (root.empty() || !entry.name.starts_with(root))
      refuse(
          "not a TorchScript archive: its members are not all in one folder; write one with python -m "
          "kit.export");
    names.push_back(entry.name.substr(root.size()));
  }
}

/// Reads the manifest, where there is one, and finds the contents of the members.
void Archive::State::read_manifest(const zip::Directory& directory) {
  bool ours = false;
  std::size_t at = names.size();
  for (std::size_t i = 0; i < names.size(); ++i) {
    ours = ours || names[i].starts_with(own_folder);
    if (names[i] == manifest_name) at = i;
  }
  if (!ours) return check_code();
  if (at == names.size()) refuse("damaged archive: its manifest is missing; copy or export it again");

  const auto spans = zip::read_contents(bytes, directory, path);
  for (std::size_t i = 0; i < names.size(); ++i) contents[names[i]] = spans[i];
  // No digest covers the manifest, which holds the digests of all else: its checksum does.
  const auto* text = reinterpret_cast<const char*>(spans[at].data());
  const uLong checksum = ::crc32_z(0, reinterpret_cast<const Bytef*>(text), spans[at].size());
  if (checksum != directory.entries[at].crc32)
    refuse("damaged archive: the checksum of its manifest is wrong; copy or export it again");
  manifest = Manifest::parse({text, spans[at].size()}, path);
}

/// torch.save and torch.export write zip files, too. What torch has called TorchScript has a file of
/// constants, or, before torch 1.4, a description in JSON.
void Archive::State::check_code() const {
  for (const char* const name : {"constants.pkl", "model.json"})
    if (std::find(names.begin(), names.end(), name) != names.end()) return;
  refuse(
      "not a TorchScript archive: there is no program in it, as in what torch.save and torch.export.save "
      "write; export the model with python -m kit.export");
}

void Archive::State::check_members() const {
  const std::string remedy = "; copy or export it again";
  for (const MemberInfo& info : manifest->members) {
    const auto found = contents.find(info.name);
    if (found == contents.end())
      refuse("damaged archive: the member '" + info.name + "' is missing" + remedy);
    if (!matches(found->second, info))
      refuse("damaged archive: the member '" + info.name + "' is not what the manifest says" + remedy);
  }
  // All that are listed are there: one more, beside the manifest, was added.
  if (contents.size() == manifest->members.size() + 1) return;
  std::map<std::string_view, bool> listed{{manifest_name, true}};
  for (const MemberInfo& info : manifest->members) listed[info.name] = true;
  for (const std::string& name : names)
    if (!listed.contains(name))
      refuse("damaged archive: the member '" + name + "' is not in the manifest" + remedy);
  refuse("bad manifest: it lists itself as a member; export the model again");
}

bool Archive::State::matches(std::span<const std::byte> found, const MemberInfo& info) const {
  if (found.size() != info.size) return false;
  constexpr std::size_t large = std::size_t{1} << 20;
  if (!file || found.size() < large) return sha256_hex(found) == info.sha256;
  // What is read through once for this need not stay in memory.
  return sha256_hex(found, [&](auto part) { file->release(part); }) == info.sha256;
}

void Archive::State::check() {
  const zip::Directory directory = zip::read_directory(bytes, path);
  read_names(directory);
  read_manifest(directory);
  if (manifest) check_members();
}

Archive Archive::open(const std::string& path) {
  auto state = std::make_shared<State>();
  state->path = path;
  state->file.emplace(path, ErrorCode::archive);
  state->bytes = state->file->bytes();
  state->check();
  return Archive(std::move(state));
}

Archive Archive::from_bytes(std::vector<std::byte> bytes, const std::string& where) {
  auto state = std::make_shared<State>();
  state->path = where;
  state->memory = std::move(bytes);
  state->bytes = state->memory;
  state->check();
  return Archive(std::move(state));
}

const std::string& Archive::path() const noexcept { return state_->path; }

std::span<const std::byte> Archive::bytes() const noexcept { return state_->bytes; }

const Manifest* Archive::manifest() const noexcept { return state_->manifest ? &*state_->manifest : nullptr; }

std::vector<std::string> Archive::member_names() const { return state_->names; }

std::span<const std::byte> Archive::member(std::string_view name) const {
  const auto found = state_->contents.find(name);
  if (found == state_->contents.end())
    state_->refuse("it has no member '" + std::string(name) + "' that can be read");
  return found->second;
}

}  // namespace kit
