#include "outcome.h"

#include <algorithm>
#include <cstdio>

namespace kit::predictor {

namespace {

const char* verdict(const Difference& difference) {
  if (!difference.within) return "DIFFERS";
  return difference.bit_equal ? "bit-equal" : "within";
}

std::string plural(std::int64_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::string three_digits(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

std::string pad(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

}  // namespace

std::string title(const Outcome& outcome, bool several) {
  std::string text = outcome.engine;
  if (!outcome.target.empty() && outcome.target != "any") text += " for " + outcome.target;
  return text + (several ? ", method " + outcome.method : "");
}

std::string table(const Outcome& outcome, bool several) {
  if (!outcome.unavailable.empty())
    return title(outcome, several) + ": cannot run here: " + outcome.unavailable + "\n";
  std::size_t width = std::string("output").size();
  for (const OutputResult& result : outcome.report.results) width = std::max(width, result.output.size());
  std::string text = "case  " + pad("output", width) + "  max abs diff  max rel diff\n";
  for (const OutputResult& result : outcome.report.results) {
    const Difference& difference = result.difference;
    text += pad(std::to_string(result.case_index), 4) + "  " + pad(result.output, width) + "  " +
            pad(three_digits(difference.max_abs), 12) + "  " + pad(three_digits(difference.max_rel), 12) +
            "  " + verdict(difference) + "\n";
  }
  text += title(outcome, several) + ": " + plural(outcome.report.cases, "case") + ", ";
  if (outcome.report.passed() && outcome.report.bit_equal()) {
    text += "all outputs bit-equal to eager";
  } else {
    text += std::string(outcome.report.passed() ? "all outputs within tolerance" : "outputs DIFFER") +
            ", largest absolute difference " + three_digits(outcome.report.max_abs());
  }
  const std::string how = outcome.configuration.str();
  text += (how.empty() ? "" : " (" + how + ")") + std::string("\n");
  if (outcome.noted) text += "It was unverified, and is noted as verified on this host from now on.\n";
  if (outcome.not_noted) text += "It stays unverified, which cannot be noted: " + *outcome.not_noted + ".\n";
  return text;
}

nlohmann::json json_of(const Outcome& outcome) {
  if (!outcome.unavailable.empty())
    return {{"engine", outcome.engine},
            {"target", outcome.target},
            {"method", outcome.method},
            {"unavailable", outcome.unavailable}};
  nlohmann::json results = nlohmann::json::array();
  for (const OutputResult& result : outcome.report.results) {
    const Difference& difference = result.difference;
    results.push_back({{"case", result.case_index},
                       {"output", result.output},
                       {"within", difference.within},
                       {"bit_equal", difference.bit_equal},
                       {"max_abs", difference.max_abs},
                       {"max_rel", difference.max_rel},
                       {"mismatches", difference.mismatches},
                       {"first", difference.first},
                       {"reason", difference.reason}});
  }
  return {{"engine", outcome.engine},
          {"target", outcome.target},
          {"method", outcome.method},
          {"configuration", nlohmann::json::parse(outcome.configuration.json())},
          {"cases", outcome.report.cases},
          {"passed", outcome.report.passed()},
          {"bit_equal", outcome.report.bit_equal()},
          {"max_abs", outcome.report.max_abs()},
          {"max_rel", outcome.report.max_rel()},
          {"noted", outcome.noted},
          {"results", results}};
}

}  // namespace kit::predictor
