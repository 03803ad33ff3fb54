#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "bench.h"
#include "bench/start.h"
#include "engines/warm_up.h"

namespace kit::predictor {

namespace {

using bench::Interval;

/// Three digits that count: "0.00123", "12.3", "1,230,000".
std::string number(double value) {
  int decimals = 2;
  for (double rest = value; rest < 0.9995 && decimals < 6; rest *= 10) ++decimals;
  if (value >= 9.995) decimals = value >= 99.95 ? 0 : 1;
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  std::string result = text;
  if (decimals == 0)
    for (std::size_t i = result.size(); i > 3; i -= 3) result.insert(i - 3, ",");
  return result;
}

/// "1.23 (1.20–1.31)", or "1.23" of a single value.
std::string with_bounds(const Interval& interval, double unit) {
  if (interval.low == interval.high) return number(interval.median / unit);
  return number(interval.median / unit) + " (" + number(interval.low / unit) + "–" +
         number(interval.high / unit) + ")";
}

/// How wide the text is on a screen.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

using Row = std::vector<std::string>;

/// Columns of equal width, indented by two.
std::string lines(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += "  " + row[i] + std::string(widths[i] - width(row[i]), ' ');
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

std::string unstable(bool stable, double seconds) {
  return stable ? "" : "not stable within 2 % after " + number(seconds) + " s";
}

std::string title_of(const std::string& part) {
  if (part == "process") return "process (exec to main)";
  if (part == "archive") return "archive check";
  if (part == "library") return "library load";
  if (part == "program") return "program load";
  if (part == "to_first") return "to the first prediction";
  if (part == "whole") return "whole process";
  return part + " call";
}

std::string start_table(const bench::StartResult& start) {
  std::vector<Row> rows;
  for (const std::string& part : bench::start_parts()) {
    const auto found = start.parts.find(part);
    rows.push_back({title_of(part), found == start.parts.end() ? "–" : with_bounds(found->second, 1e-3)});
  }
  return "Start, in " + std::to_string(start.runs) +
         (start.runs == 1 ? " fresh process" : " fresh processes") + " (" + words(start.sizes) + "), ms\n" +
         lines(rows);
}

std::string latency_table(const std::vector<bench::LatencyResult>& results) {
  std::vector<Row> rows{{"", "p50", "p90", "p99", "min", "max", "calls"}};
  for (const bench::LatencyResult& one : results) {
    const bench::Latency& latency = one.latency;
    constexpr double unit = 1e-6;
    rows.push_back({words(one.sizes), with_bounds(latency.median, unit), number(latency.p90 / unit),
                    number(latency.p99 / unit), number(latency.min / unit), number(latency.max / unit),
                    number(static_cast<double>(latency.calls)), unstable(latency.stable, latency.seconds)});
  }
  return "Latency of a call, µs\n" + lines(rows);
}

std::string throughput_table(const std::vector<bench::ThroughputResult>& results) {
  std::vector<Row> rows;
  rows.reserve(results.size());
  for (const bench::ThroughputResult& one : results)
    rows.push_back({words(one.sizes),
                    std::to_string(one.threads) + (one.threads == 1 ? " thread" : " threads"),
                    with_bounds(one.throughput.rate, 1.0 / static_cast<double>(one.rows)),
                    unstable(one.throughput.stable, one.throughput.seconds)});
  return "Throughput, rows in a second\n" + lines(rows);
}

std::string memory_table(const std::vector<bench::MemoryResult>& results) {
  std::vector<Row> rows;
  rows.reserve(results.size());
  for (const bench::MemoryResult& one : results)
    rows.push_back({words(one.sizes), one.bytes ? with_bounds(*one.bytes, 1e6) : "this system does not say"});
  return "Peak memory of a fresh process after three calls, MB\n" + lines(rows);
}

}  // namespace

std::string table(const bench::Result& result) {
  const bench::Conditions& c = result.conditions;
  const std::string target = c.target == "any" ? "" : " for " + c.target;
  std::string text = c.archive + ": " + c.model + ", " + c.method + ", " + c.engine + target + " on " +
                     c.device + "; kit " + c.kit + (c.torch.empty() ? "" : ", torch " + c.torch) + "\n";
  text += c.cpu + ", " + std::to_string(c.cores) + (c.cores == 1 ? " core, " : " cores, ") + c.isa +
          (c.load < 0 ? "" : ", load " + number(c.load)) + "; " + c.date + "; inputs: " + c.inputs + "\n";
  text += "Medians; in brackets, where they lie with 95 % confidence. Reading the clock takes " +
          number(c.clock_seconds * 1e6) + " µs of each latency.\n";
  for (const std::string& note : c.notes) text += "Note: " + note + "\n";
  return text + "\n" + start_table(result.start) + "\n" + latency_table(result.latency) + "\n" +
         throughput_table(result.throughput) + "\n" + memory_table(result.memory);
}

std::string table(const bench::Comparison& comparison, const std::string& path, double fail_above) {
  std::vector<Row> rows;
  for (const bench::Ratio& one : comparison.ratios) {
    char text[96];
    std::snprintf(text, sizeof text, "%.2f (%.2f–%.2f)", one.ratio.median, one.ratio.low, one.ratio.high);
    const bool beyond = one.ratio.median > fail_above;
    rows.push_back({one.figure, text,
                    std::string(beyond ? "BEYOND" : "") +
                        (one.may_be_chance() ? (beyond ? ", may be chance" : "may be chance") : "")});
  }
  std::string text = "Now over " + path + "; above 1 is slower, or more memory\n" + lines(rows);
  for (const std::string& change : comparison.changes) text += "  " + change + "\n";
  for (const std::string& missing : comparison.missing) text += "  " + missing + "\n";
  return text;
}

}  // namespace kit::predictor
