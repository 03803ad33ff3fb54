#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <kit/graph.h>

namespace kit {

/// An operation of one of two graphs.
struct DiffOperation {
  std::string operation;         ///< "aten::sum"
  std::string value;             ///< the first that it gives, "12"; empty if it gives none
  std::optional<CodeLine> line;  ///< where it comes from, if that is known
};

/// Operations that depend on constants alone, and the constant that stands for them.
struct DiffFolded {
  std::vector<DiffOperation> operations;
  std::string expression;  ///< what they compute, "aten::add(aten::add(7, 11), 2)"; empty if it is long
  std::string constant;    ///< "20"; empty where the result itself was of no further use
  std::string value;       ///< the constant's name in the later graph
};

/// Operations of the earlier graph, and what does their work in the later one: often nothing, where their
/// work went into the weights.
struct DiffRewritten {
  std::vector<DiffOperation> before;
  std::vector<DiffOperation> after;
  bool weights = false;  ///< whether the weights that `after` takes were computed anew
};

/// An operation of the later graph that is in no group, where there are groups.
struct DiffAlone {
  DiffOperation operation;
  bool pointwise = true;  ///< the fuser is for operations that are; unknown counts as pointwise
};

/// A fused group of the later graph.
struct DiffGroup {
  int group = 0;
  std::vector<DiffOperation> operations;
};

/// An operation that only the later graph has.
struct DiffAdded {
  DiffOperation operation;
  std::string purpose;  ///< one clause; empty if it is not known
};

/// What led from one graph of a method to another. Operations are found again by what they do and by what
/// they take, in order; constants, weights, tuples and lists are no operations here.
struct GraphDiff {
  Stage before = Stage::traced;
  Stage after = Stage::traced;
  std::int64_t operations_before = 0;
  std::int64_t operations_after = 0;
  std::int64_t unchanged = 0;            ///< operations that both have
  std::vector<DiffOperation> removed;    ///< nothing used what they gave
  std::vector<DiffFolded> folded;        ///< computed once, now
  std::vector<std::string> weights;      ///< paths of those that became constants
  std::vector<DiffOperation> left_out;   ///< what followed them takes what they took
  std::vector<DiffOperation> merged;     ///< the same as another operation with the same inputs
  std::vector<DiffRewritten> rewritten;  ///< other operations, or other weights
  std::vector<DiffGroup> fused;          ///< run as one kernel
  std::vector<DiffAlone> alone;          ///< where there are groups: those in none
  std::vector<DiffAdded> added;          ///< guards of groups, their fallbacks, and the like

  /// In words, one line for each item.
  std::string str() const;

  /// A JSON object with these fields; what is not set is left out.
  std::string json() const;
};

/// The stage that a stage is made from: what is optimized is the frozen graph only where the model runs
/// frozen. Throws a usage error for the first.
Stage stage_before(Stage stage, bool frozen);

/// Compares two graphs of one method.
GraphDiff diff(const Graph& before, const Graph& after);

}  // namespace kit
