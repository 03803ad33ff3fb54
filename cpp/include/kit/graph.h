#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kit {

/// What torch's compiler has made of a program: the graph that was recorded, that graph with the weights
/// folded in, and the graph that is executed once the program has run on inputs of some size.
enum class Stage { traced, frozen, optimized };

/// "traced", "frozen", "optimized".
std::string_view name(Stage stage) noexcept;

/// The stage of that name. Throws a usage error if there is none.
Stage stage_from_name(std::string_view name);

/// A line of the program's code inside the archive, "code/__torch__/model.py"; of the Python source, where
/// the archive tells of it.
struct CodeLine {
  std::string file;
  int line = 0;
  std::string text;  ///< the line itself, without indentation; empty where the archive does not have it
};

/// A value of a graph: its name is unique there.
struct GraphValue {
  std::string name;  ///< "x.1", "12"; torch prints it with a "%" before it
  std::string
      type;  ///< as torch writes it: "Tensor", "Float(4, 8, strides=[8, 1], requires_grad=0, device=cpu)"
};

/// A block of a prim::If or a prim::Loop.
struct GraphBlock {
  std::vector<GraphValue> inputs;    ///< of a loop: the iteration, then the values it carries
  std::vector<std::string> outputs;  ///< names of the values that it gives
};

/// One operation. Those of a fused group stand in the place of the group, in order, and bear its number.
struct GraphNode {
  std::string operation;                 ///< "aten::relu", "prim::Constant"
  std::vector<std::string> inputs = {};  ///< names of values
  std::vector<GraphValue> outputs = {};  ///< what it gives
  /// What is constant, of a prim::Constant: "20", "\"cpu\"", "Float(3, 8) tensor"; of a prim::GetAttr of what
  /// is no tensor, its value.
  std::optional<std::string> constant = std::nullopt;
  /// The path of the weight, "linear.weight", of a prim::GetAttr or prim::SetAttr, and of a prim::Constant
  /// that is a weight of the model as it was loaded.
  std::optional<std::string> attribute = std::nullopt;
  /// Tells tensors of other values apart, of a constant or a weight of 1 MiB at most. Not in the JSON.
  std::optional<std::size_t> digest = std::nullopt;
  std::optional<CodeLine> line = std::nullopt;  ///< where it comes from, if that is known
  std::optional<int> group = std::nullopt;      ///< the fused group it is in
  std::optional<int> parent =
      std::nullopt;  ///< index of the node in whose block it is, for prim::If and prim::Loop
  int block = 0;     ///< which of the blocks of that node
  std::vector<GraphBlock> blocks = {};  ///< of a prim::If or a prim::Loop; the nodes in them come after it
  /// Whether an element of the output depends on the same elements of the inputs alone, as torch says; unset
  /// for what is no operator of torch's.
  std::optional<bool> pointwise = std::nullopt;
};

/// The graph of one method at one stage.
struct Graph {
  Stage stage = Stage::traced;
  std::string method;
  std::string text;                  ///< as torch prints it
  std::vector<GraphValue> inputs;    ///< the module itself only where a node needs it
  std::vector<std::string> outputs;  ///< names of values
  /// In the order of execution; a node with blocks comes before what is in them.
  std::vector<GraphNode> nodes;

  /// A JSON object with these fields; what is not set is left out.
  std::string json() const;
};

}  // namespace kit
