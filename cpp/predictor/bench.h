#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <kit/archive.h>
#include <kit/configuration.h>

#include "bench/comparison.h"
#include "bench/result.h"
#include "bench/workload.h"

namespace kit::predictor {

struct BenchOptions {
  std::string model;
  std::string engine = "auto";
  std::string target;
  std::string device = "cpu";
  std::string method = "forward";
  std::vector<std::int64_t> batches;
  std::vector<int> threads;
  double seconds = 1;
  std::optional<std::int64_t> starts;
  Configuration configuration;
  bool json = false;
  std::optional<std::string> output;
  std::optional<std::string> compare;
  double fail_above = 1.10;
};

/// Loads the model and measures it. `signature` is what the result says of it. Warnings go to standard error.
bench::Result measure(const BenchOptions& options, const Archive& archive, const bench::Workload& workload,
                      const std::string& signature);

/// The result, as text for a person.
std::string table(const bench::Result& result);

/// The ratios to an older result that was read from `path`.
std::string table(const bench::Comparison& comparison, const std::string& path, double fail_above);

}  // namespace kit::predictor
