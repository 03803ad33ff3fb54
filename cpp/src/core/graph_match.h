#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/graph_view.h"

namespace kit {

/// Finds the operations of one graph in another: by what they do, and by what they take. First those that
/// take the same, or constants that were computed from what the others take; then those before which
/// something was left out, or which take other weights; then those behind something that was rewritten.
class GraphMatch {
 public:
  GraphMatch(const GraphView& before, const GraphView& after);

  /// The node of the later graph that a node of the earlier one became, or that a constant was folded into.
  const std::optional<std::size_t>& partner(std::size_t before) const { return partner_[before]; }
  bool taken(std::size_t after) const { return taken_[after]; }

  /// Whether the node depends on constants and weights that became constants, and on nothing else.
  bool constant(std::size_t before) const { return constant_[before]; }

  std::set<std::size_t> merged;                 ///< they became what an equal one before them became
  std::set<std::size_t> reweighted;             ///< they take other weights
  std::map<std::size_t, std::size_t> folded;    ///< by the last operation: the constant
  std::map<std::size_t, std::string> left_out;  ///< what followed takes this value, of the earlier graph
  std::vector<std::pair<std::size_t, std::size_t>> rewritten;  ///< the last of what was, and of what is
  std::set<std::string> weights;                               ///< paths of those that became constants

 private:
  /// How far what was and what is may differ.
  enum class Leniency { equal, left_out, rewritten };

  /// What was found on the way while two values were compared.
  struct Trail {
    std::map<std::size_t, std::size_t> folded;
    std::map<std::size_t, std::string> left_out;
    std::vector<std::pair<std::size_t, std::size_t>> rewritten;
    std::set<std::string> weights;
    bool reweighted = false;
  };

  void find_constant();
  void match_all(Leniency most);
  bool match(std::size_t node, Leniency leniency);
  bool merge(std::size_t node);
  bool inputs_agree(std::size_t was, std::size_t is, Leniency leniency, Trail& trail) const;
  bool agree(const std::string& was, const std::string& is, Leniency leniency, Trail& trail,
             int depth = 0) const;
  bool agree_held(const GraphNode& was, const std::string& is, Trail& trail) const;
  bool agree_around(std::size_t was, const std::string& is, Leniency leniency, Trail& trail, int depth) const;
  bool may_be(std::size_t from, std::size_t to, const Trail& trail) const;
  bool same_value(std::size_t one, std::size_t other, int depth = 0) const;
  bool computed_anew(const std::string& was, const std::string& is) const;
  void join(std::size_t was, std::size_t is);
  void keep(const Trail& trail);

  const GraphView& before_;
  const GraphView& after_;
  std::vector<std::optional<std::size_t>> partner_;
  std::vector<bool> taken_;
  std::vector<bool> constant_;
  std::unordered_map<std::string, std::string> values_;
  std::unordered_map<std::string, std::vector<std::size_t>> by_operation_;
  std::unordered_map<std::size_t, std::size_t> folded_from_;  ///< by the constant: one of what became it
  std::set<std::string> paths_;                               ///< of weights that the later graph reads still
};

}  // namespace kit
