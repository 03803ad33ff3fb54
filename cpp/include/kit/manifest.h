#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <kit/compare.h>
#include <kit/configuration.h>
#include <kit/signature.h>

namespace kit {

/// The archive format that this version of kit writes, and the newest that it reads.
inline constexpr std::int64_t archive_format = 1;

/// One constant of a compiled program: a part of a member.
struct ConstantInfo {
  std::string member;
  std::uint64_t offset = 0;  ///< in bytes, a multiple of 64
  std::uint64_t size = 0;    ///< in bytes
  std::uint64_t at = 0;      ///< where it belongs in the package of an aoti program, in bytes
};

/// What holds one method of a compiled program.
struct ProgramMethod {
  std::string member;  ///< the shared object of a native program, the package of an aoti program
  /// Those of a native program, in its order; of an aoti program those which the member lacks, in the order
  /// of where they belong in the package.
  std::vector<ConstantInfo> constants;
};

/// One executable form of the model inside the archive.
struct ProgramInfo {
  std::string engine;    ///< "torchscript", "aoti" or "native"
  std::string target;    ///< what it was compiled for, "x86-64-v3" or "cuda:sm_90"; "any" for torchscript
  std::string torch;     ///< version of torch that made it, "2.13.0"
  bool verified = true;  ///< whether the exporting host could run it against the golden cases
  std::map<std::string, ProgramMethod> methods = {};  ///< by name; empty for torchscript
};

/// One member of the archive, as the manifest states it.
struct MemberInfo {
  std::string name;  ///< without the archive's root folder
  std::uint64_t size = 0;
  std::string sha256;  ///< 64 lower-case hexadecimal digits
};

/// One method of the model: what it takes and gives, and how it is verified.
struct Method {
  std::string name;  ///< "forward", or that of a method beside it
  Signature signature;
  std::int64_t cases = 0;  ///< number of golden cases
  /// Where the method has random operations: what a replay seeds the random generator with before each case.
  std::optional<std::int64_t> seed;
  Tolerances tolerances;
  /// The sizes at which the export proved the program, by dim.
  std::map<std::string, std::vector<std::int64_t>> tried;
  /// Whether the rows of a call are known to depend on one another: its outputs are not those of its parts.
  bool rows_depend = false;
};

/// The table of contents of an archive: docs/archive-format.md, python/kit/manifest.schema.json.
struct Manifest {
  std::int64_t format = archive_format;
  std::string name;
  std::vector<Method> methods;  ///< `forward` first, the others by name
  std::vector<ProgramInfo> programs;
  Configuration configuration;  ///< how to run the TorchScript program, where the exporter recommends it
  std::vector<MemberInfo> members;
  std::map<std::string, std::string> provenance;  ///< versions of what made the archive, by name
  std::string json;                               ///< the text it was read from

  /// Reads the JSON text. `where` names the archive in messages. Throws an archive error if the text is
  /// not a manifest, or is of a format newer than `archive_format`.
  static Manifest parse(std::string_view json, const std::string& where);

  /// The method of that name. Throws a usage error that names those there are.
  const Method& method(std::string_view name) const;

  /// The SHA-256 of a member, in lower-case hexadecimal; empty for one that is not listed.
  std::string digest(std::string_view member) const;
};

}  // namespace kit
