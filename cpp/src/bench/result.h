#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "bench/interval.h"
#include "bench/series.h"
#include "bench/throughput.h"
#include "bench/workload.h"

namespace kit::bench {

/// The version of the JSON document that this version of kit writes, and the only one that it compares.
inline constexpr std::int64_t result_version = 1;

/// What was measured, on what, and how.
struct Conditions {
  std::string kit;
  std::string torch;  ///< that kit was built against
  std::string date;
  std::string cpu;
  int cores = 0;
  double load = 0;  ///< of the host when the measurement began
  std::string isa;
  std::string archive;  ///< its path
  std::string model;
  std::string method;
  std::string signature;
  std::string engine;
  std::string target;
  std::string device;
  std::string program_torch;       ///< that made the program
  std::string digest;              ///< of the program
  std::string configuration;       ///< JSON
  std::string inputs;              ///< where they come from
  std::vector<std::string> notes;  ///< why faster programs were not taken
  double seconds = 0;              ///< the most that a figure took
  double clock_seconds = 0;        ///< what reading the clock adds to a latency
};

/// Starts of fresh processes.
struct StartResult {
  Sizes sizes;
  std::size_t runs = 0;
  std::map<std::string, Interval> parts;  ///< in seconds, by name
};

struct LatencyResult {
  Sizes sizes;
  Latency latency;
};

struct ThroughputResult {
  Sizes sizes;
  std::int64_t rows = 1;  ///< in a call
  int threads = 1;
  Throughput throughput;
};

/// Resident after three calls in a fresh process.
struct MemoryResult {
  Sizes sizes;
  std::optional<Interval> bytes;  ///< nothing where the system does not say
};

struct Result {
  Conditions conditions;
  StartResult start;
  std::vector<LatencyResult> latency;
  std::vector<ThroughputResult> throughput;
  std::vector<MemoryResult> memory;

  /// The document that `--json` prints; docs of its keys are in its names and units.
  nlohmann::json json() const;
};

}  // namespace kit::bench
