#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <kit/model.h>

#include "bench/workload.h"

namespace kit::bench {

/// What a fresh process is to load and call.
struct StartRequest {
  std::string model;
  Options options;  ///< with the engine and the target that were chosen
  Sizes sizes;
  double started = 0;  ///< when the process was started, as `steady_seconds` has it

  /// All but the model, whose path need not be UTF-8.
  std::string json() const;

  /// Throws a usage error if the text is no request.
  static StartRequest parse(const std::string& model, const std::string& text);
};

/// What a start consisted of, in seconds. What is not there did not happen.
struct Start {
  /// "process" (from exec to main), "archive", "library", "program", "first", "second" and "third";
  /// "to_first" is the sum up to the first call, and "whole" what the parent saw, to the end of the process.
  std::map<std::string, double> parts;
  std::optional<std::uint64_t> peak_bytes;  ///< resident, without what it took to read the golden cases

  std::string json() const;
  static Start parse(const std::string& text);
};

/// The names of all parts, in the order in which they happen, then the two sums.
const std::vector<std::string>& start_parts();

/// In the fresh process: does what was requested. `entered` is when its main was entered.
Start start_here(const StartRequest& request, double entered);

/// Runs this executable once more, as `<executable> bench-start MODEL REQUEST`, and takes what it prints.
/// Throws the error that the process reports.
Start start_process(StartRequest request);

}  // namespace kit::bench
