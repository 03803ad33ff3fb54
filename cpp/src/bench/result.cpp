#include "bench/result.h"

#include <nlohmann/json.hpp>

namespace kit::bench {
namespace {

using Json = nlohmann::json;

Json json_of(const Interval& interval, double unit) {
  return {{"median", interval.median / unit}, {"low", interval.low / unit}, {"high", interval.high / unit}};
}

Json json_of(const Latency& latency) {
  constexpr double microsecond = 1e-6;
  Json object = json_of(latency.median, microsecond);
  object["p50"] = latency.median.median / microsecond;
  object["p90"] = latency.p90 / microsecond;
  object["p99"] = latency.p99 / microsecond;
  object["min"] = latency.min / microsecond;
  object["max"] = latency.max / microsecond;
  return object;
}

}  // namespace

Json Result::json() const {
  constexpr double millisecond = 1e-3;
  Json parts = Json::object();
  for (const auto& [part, interval] : start.parts) parts[part] = json_of(interval, millisecond);
  Json latencies = Json::array();
  for (const LatencyResult& one : latency)
    latencies.push_back({{"sizes", one.sizes},
                         {"microseconds", json_of(one.latency)},
                         {"calls", one.latency.calls},
                         {"stable", one.latency.stable},
                         {"seconds", one.latency.seconds}});
  Json rates = Json::array();
  for (const ThroughputResult& one : throughput) {
    const double call = 1.0 / static_cast<double>(one.rows);
    rates.push_back({{"sizes", one.sizes},
                     {"threads", one.threads},
                     {"rows", one.rows},
                     {"rows_per_second", json_of(one.throughput.rate, call)},
                     {"stable", one.throughput.stable},
                     {"seconds", one.throughput.seconds}});
  }
  Json peaks = Json::array();
  for (const MemoryResult& one : memory)
    peaks.push_back({{"sizes", one.sizes}, {"bytes", one.bytes ? json_of(*one.bytes, 1) : Json()}});
  const Conditions& c = conditions;
  return {{"format", "kit-bench"},
          {"version", result_version},
          {"kit", c.kit},
          {"torch", c.torch},
          {"date", c.date},
          {"host", {{"cpu", c.cpu}, {"cores", c.cores}, {"load", c.load}, {"isa", c.isa}}},
          {"archive", c.archive},
          {"model", {{"name", c.model}, {"method", c.method}, {"signature", c.signature}}},
          {"program",
           {{"engine", c.engine},
            {"target", c.target},
            {"device", c.device},
            {"torch", c.program_torch},
            {"configuration", Json::parse(c.configuration)},
            {"digest", c.digest}}},
          {"inputs", c.inputs},
          {"notes", c.notes},
          {"seconds", c.seconds},
          {"clock_nanoseconds", c.clock_seconds * 1e9},
          {"start", {{"sizes", start.sizes}, {"runs", start.runs}, {"milliseconds", parts}}},
          {"latency", latencies},
          {"throughput", rates},
          {"memory", peaks}};
}

}  // namespace kit::bench
