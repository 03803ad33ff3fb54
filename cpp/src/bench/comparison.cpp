#include "bench/comparison.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include <kit/error.h>

#include "bench/result.h"
#include "engines/warm_up.h"

namespace kit::bench {
namespace {

using Json = nlohmann::json;

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw Error(ErrorCode::usage, path + " " + why + "; give a file that predictor bench --json wrote");
}

struct Figure {
  Interval interval;
  bool more_is_better = false;
};

Interval interval_from(const Json& object) {
  return {object.at("median").get<double>(), object.at("low").get<double>(), object.at("high").get<double>()};
}

/// Every figure of a result, by a name that is the same in each.
std::vector<std::pair<std::string, Figure>> figures_of(const Json& result) {
  std::vector<std::pair<std::string, Figure>> figures;
  const auto at = [](const Json& one) { return words(one.at("sizes").get<Sizes>()); };
  const Json& start = result.at("start");
  for (const auto& [part, value] : start.at("milliseconds").items())
    figures.emplace_back("start, " + part + ", " + at(start), Figure{interval_from(value)});
  for (const Json& one : result.at("latency"))
    figures.emplace_back("latency, " + at(one), Figure{interval_from(one.at("microseconds"))});
  for (const Json& one : result.at("throughput"))
    figures.emplace_back(
        "throughput, " + at(one) + ", threads = " + std::to_string(one.at("threads").get<int>()),
        Figure{interval_from(one.at("rows_per_second")), true});
  for (const Json& one : result.at("memory"))
    if (!one.at("bytes").is_null())
      figures.emplace_back("memory, " + at(one), Figure{interval_from(one.at("bytes"))});
  return figures;
}

/// The one over the other, with the bounds at their worst.
Interval over(const Interval& one, const Interval& other) {
  return {one.median / other.median, one.low / other.high, one.high / other.low};
}

std::string text_of(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

void add_changes(const Json& old, const Json& now, Comparison& comparison) {
  const std::pair<const char*, const char*> what[]{{"CPU", "/host/cpu"},
                                                   {"cores", "/host/cores"},
                                                   {"kit", "/kit"},
                                                   {"torch", "/torch"},
                                                   {"engine", "/program/engine"},
                                                   {"target", "/program/target"},
                                                   {"device", "/program/device"},
                                                   {"configuration", "/program/configuration"},
                                                   {"inputs", "/inputs"},
                                                   {"digest of the program", "/program/digest"}};
  for (const auto& [name, pointer] : what) {
    const Json::json_pointer place(pointer);
    const std::string before = text_of(old.at(place));
    const std::string after = text_of(now.at(place));
    if (before != after) comparison.changes.push_back(std::string(name) + ": " + before + ", now " + after);
  }
}

}  // namespace

Json parse_result(const std::string& text, const std::string& path) {
  Json result = Json::parse(text, nullptr, false);
  if (!result.is_object() || !result.contains("format") || result["format"] != "kit-bench")
    refuse(path, "is no result of predictor bench");
  if (!result.contains("version") || result["version"] != result_version)
    refuse(path, "is a result of another version of predictor bench, and this one knows version " +
                     std::to_string(result_version));
  return result;
}

void check_same_model(const Json& result, const std::string& path, const std::string& name,
                      const std::string& method, const std::string& signature) {
  try {
    const Json& model = result.at("model");
    const auto check = [&](const char* what, const std::string& now) {
      const auto before = model.at(what).get<std::string>();
      if (before != now)
        throw Error(ErrorCode::usage, path + " is of another model: its " + what + " is " + before +
                                          ", and this one's is " + now + "; give a result of the same model");
    };
    check("name", name);
    check("method", method);
    check("signature", signature);
  } catch (const Json::exception&) {
    refuse(path, "is damaged: it does not say which model it is of");
  }
}

std::vector<Ratio> Comparison::beyond(double limit) const {
  std::vector<Ratio> result;
  std::copy_if(ratios.begin(), ratios.end(), std::back_inserter(result),
               [&](const Ratio& one) { return one.ratio.median > limit; });
  std::stable_sort(result.begin(), result.end(),
                   [](const Ratio& a, const Ratio& b) { return a.ratio.median > b.ratio.median; });
  return result;
}

Comparison compare_results(const Json& old, const Json& now, const std::string& path) {
  Comparison comparison;
  try {
    std::map<std::string, Figure> before;
    std::set<std::string> seen;
    for (const auto& [name, figure] : figures_of(old)) {
      if (!(figure.interval.median > 0 && figure.interval.low > 0 && figure.interval.high > 0))
        refuse(path, "is damaged: '" + name + "' is not a number above 0");
      before[name] = figure;
    }
    for (const auto& [name, figure] : figures_of(now)) {
      seen.insert(name);
      const auto found = before.find(name);
      if (found == before.end()) {
        comparison.missing.push_back(name + ": only now");
        continue;
      }
      const Interval& then = found->second.interval;
      comparison.ratios.push_back(
          {name, figure.more_is_better ? over(then, figure.interval) : over(figure.interval, then)});
    }
    for (const auto& [name, figure] : before)
      if (!seen.contains(name)) comparison.missing.push_back(name + ": not any more");
    add_changes(old, now, comparison);
  } catch (const Json::exception& error) {
    refuse(path, std::string("is damaged: ") + error.what());
  }
  if (comparison.ratios.empty()) refuse(path, "has no figure that was measured now");
  return comparison;
}

}  // namespace kit::bench
