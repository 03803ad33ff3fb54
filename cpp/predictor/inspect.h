#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <kit/archive.h>
#include <kit/model.h>

namespace kit::predictor {

/// What to look at, and how. Whatever is beyond `model` and `json` loads the model.
struct InspectOptions {
  std::string model;
  bool json = false;
  bool programs = false;
  bool graph = false;
  std::optional<std::string> stage;  ///< of the graph
  bool diff = false;                 ///< of the graph: what led to the stage
  bool fusion = false;
  int calls = 4;        ///< of the fusion report: with each of the inputs
  bool source = false;  ///< of the fusion report: the generated code
  std::string device = "cpu";
  std::string method = "forward";
  std::vector<std::int64_t> cases;  ///< indices of golden cases
  Configuration configuration;
};

/// One line for each program: what it is, and whether this host can run it. None is loaded.
std::vector<std::string> describe_programs(const Archive& archive);

/// Prints them, or the same as JSON.
void show_programs(const InspectOptions& options);

/// "12,345".
std::string thousands(std::uint64_t number);

/// Loads the model for the engine that has graphs.
Model load_for_inspection(const Archive& archive, const InspectOptions& options);

/// The golden inputs of the cases that were asked for, or of all. Throws a usage error for a case that is not
/// there, and for an archive without any.
std::vector<std::vector<Tensor>> golden_inputs(const Archive& archive, const InspectOptions& options);

/// Prints the graph at a stage, or what led to it.
void show_graph(const InspectOptions& options);

/// Prints what is fused, and what is not.
void show_fusion(const InspectOptions& options);

}  // namespace kit::predictor
