#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <kit/configuration.h>
#include <kit/graph.h>

namespace kit {

/// One operation of a fused group, or one that is in none.
struct FusedOperation {
  std::string operation;  ///< "aten::mul"
  std::optional<CodeLine> line;
};

/// An operation that runs by itself, and why.
struct LeftOut {
  FusedOperation operation;
  std::string reason;             ///< one clause, "it is not pointwise"
  std::optional<int> instead_of;  ///< the group in whose place it runs, where that does not fit the sizes
};

/// Operations that run as one kernel.
struct FusionGroup {
  std::string name;  ///< as torch and its profiler name it: "fused_mul_add_relu"
  std::vector<FusedOperation> operations;
  bool dynamic = false;             ///< compiled for varying sizes, not for one
  std::vector<std::string> inputs;  ///< types, "Float(4, 8, strides=[8, 1], device=cpu)"
  std::optional<int> instead_of;    ///< the group in whose place it runs, where that does not fit the sizes
  std::int64_t runs = 0;            ///< how often it ran in the calls that were watched
  std::int64_t fallbacks = 0;       ///< how often its type check failed, and something else ran instead
  bool counted = true;   ///< false where runs of groups of one name, in branches, cannot be told apart: the
                         ///< counts are then the least that there were
  std::string language;  ///< of the source: "CUDA C++", or "tensor expressions" on the CPU
  std::string source;    ///< the generated code
};

/// What was fused, and what was not, in calls with inputs of given sizes.
struct FusionReport {
  std::string method;
  std::string device;
  std::string torch;  ///< its version
  Configuration configuration;
  std::vector<std::map<std::string, std::int64_t>>
      sizes;                        ///< of the dims, for each of the inputs that were given
  std::int64_t calls = 0;           ///< in all
  std::int64_t compilations = 0;    ///< graphs that were compiled meanwhile
  std::vector<FusionGroup> groups;  ///< those of the executed graph first, then those of its fallbacks
  std::vector<LeftOut> left_out;
  std::optional<std::string> note;  ///< why there is nothing to report: "fusion is off"

  /// A JSON object with these fields; what is not set is left out.
  std::string json() const;

  /// A table for people; `source` adds the generated code.
  std::string str(bool source = false) const;
};

}  // namespace kit
