#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/ivalue.h>
#include <torch/csrc/jit/ir/ir.h>

namespace kit {

/// Some operations of a fused group, one after the other, as a graph of their own.
struct Piece {
  std::shared_ptr<torch::jit::Graph> graph;       ///< every tensor has its type, sizes and strides
  std::vector<const torch::jit::Value*> inputs;   ///< the values of the group that the graph takes
  std::vector<const torch::jit::Value*> outputs;  ///< those that it gives: what is used outside of it
  std::size_t operations = 0;
};

/// The operations of a fused group with the values that they take and give in one run of them, one by one.
class GroupBody {
 public:
  /// The group must outlive this.
  GroupBody(const torch::jit::Graph& group, const std::vector<c10::IValue>& inputs);

  /// Without constants and the making of lists, in order.
  const std::vector<torch::jit::Node*>& operations() const noexcept { return operations_; }

  /// Values of the group by those of its graph.
  using Values = std::map<const torch::jit::Value*, c10::IValue>;
  const Values& values() const noexcept { return values_; }

  /// The operations from `first` up to `last`, exclusive.
  Piece piece(std::size_t first, std::size_t last) const;

 private:
  std::vector<torch::jit::Node*> operations_;
  Values values_;
};

/// The operations of a group's graph, without constants and the making of lists.
std::vector<torch::jit::Node*> operations_of(const torch::jit::Graph& group);

/// What the piece takes, of these values.
std::vector<c10::IValue> arguments_of(const Piece& piece, const GroupBody::Values& values);

/// Runs the piece as one fused kernel, for these sizes or for varying ones. Nothing if torch does not make
/// one group of all its operations. The switches must be set so that it fuses.
std::optional<std::vector<c10::IValue>> run_fused(const Piece& piece, std::vector<c10::IValue> arguments,
                                                  bool dynamic);

/// The bytes of a TorchScript file whose `forward` is the piece.
std::string standalone(const Piece& piece);

/// The graph of that `forward`, without the module and without sizes.
std::shared_ptr<torch::jit::Graph> general(const Piece& piece);

}  // namespace kit
