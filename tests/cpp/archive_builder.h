#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace kit::test {

std::vector<std::byte> bytes_of(const std::string& text);

/// Writes archives, sound and unsound, without Python and without torch. What it makes is an archive for the
/// core; its program is not one that libtorch could load.
class ArchiveBuilder {
 public:
  /// A model of one input x and one output y, both float32[batch, 2] with batch in 1..4, and one golden case.
  ArchiveBuilder();

  /// Members in the order of the file, the manifest not among them.
  std::vector<std::pair<std::string, std::string>> members;
  nlohmann::json manifest;  ///< its list of members is filled in by `build`
  std::string root = "model/";

  /// The archive, with a manifest that lists the members.
  std::string build() const;

  /// A zip file of these members, in the layout of docs/archive-format.md.
  static std::string zip(const std::vector<std::pair<std::string, std::string>>& files);

  /// The manifest's JSON for the members.
  std::string manifest_json() const;
};

}  // namespace kit::test
