#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <kit/compare.h>
#include <kit/configuration.h>
#include <kit/fusion.h>
#include <kit/tensor.h>

namespace kit {

/// How to look for a difference between fused and unfused outputs.
struct BisectOptions {
  int runs = 3;                ///< how often each case runs; a kernel is compiled in the second run of a size
  Tolerances tolerances = {};  ///< by dtype; the default for a dtype that is not here
  std::optional<std::uint64_t> seed =
      std::nullopt;  ///< what the random generators are seeded with before each run
};

/// A fused group, run by itself on the inputs that it gets in the case that differs.
struct GroupCheck {
  std::string name;  ///< as torch and its profiler name it: "fused_mul_add_relu"
  std::vector<FusedOperation> operations;
  bool dynamic = false;   ///< compiled for varying sizes, not for one
  int depth = 0;          ///< 0 in the graph of the method, 1 in the fallback of a group there, and so on
  Difference difference;  ///< the worst of its outputs, fused against one by one
};

/// A program that shows the difference by itself, when its operations are fused and when they are not.
struct Repro {
  std::string program;         ///< the bytes of a TorchScript file whose `forward` takes the inputs
  std::string graph;           ///< the same as torch prints it
  std::vector<Tensor> inputs;  ///< on the device, strided as they were
  bool dynamic = false;        ///< whether it takes a kernel for varying sizes to show it
  std::vector<FusedOperation> operations;
  Difference difference;  ///< the worst of its outputs, fused against one by one
};

/// What was found. If outputs differ, `group` and `operation` are set as far as the cause could be found.
struct Bisection {
  std::string method;
  std::string device;
  std::string torch;            ///< its version
  Configuration configuration;  ///< of the fused runs
  std::int64_t cases = 0;
  std::int64_t runs = 0;  ///< of each case
  bool differs = false;   ///< whether an output differs beyond the tolerance
  Difference difference;  ///< of the first output that does, else the largest that was seen

  std::int64_t case_index = 0;  ///< of the first output that differs; so `run`, counted from 1, and `output`
  std::int64_t run = 0;
  std::int64_t output_index = 0;
  std::string output;

  std::vector<GroupCheck> groups;           ///< those that ran in that case, in order
  std::optional<std::int64_t> group;        ///< the smallest of them that differs by itself
  std::optional<FusedOperation> operation;  ///< the first of the group with which it differs
  std::optional<Repro> repro;  ///< the fewest operations around it that were found to differ by themselves

  /// A JSON object with these fields, without the tensors and the program; what is not set is left out.
  std::string json() const;
};

}  // namespace kit
