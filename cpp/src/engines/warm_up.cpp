#include "engines/warm_up.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <set>

#include <kit/error.h>

namespace kit {
namespace {

/// A size is watched in its first call, compiled for in its second, and quiet from the third on; where groups
/// are nested in fallbacks it takes a few more. What is not quiet by then never will be.
constexpr int most_calls = 20;
constexpr int quiet_calls = 2;

std::string counted(std::int64_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::string listed(const std::set<std::int64_t>& numbers) {
  std::string text;
  for (const std::int64_t number : numbers) text += (text.empty() ? "" : ", ") + std::to_string(number);
  return text;
}

/// "batch = 1, 64" of one dim; "batch = 1, length = 16; batch = 2, length = 16" of several.
std::string words_of_all(const std::vector<Sizes>& all) {
  std::set<std::int64_t> numbers;
  std::string combinations;
  for (const Sizes& sizes : all) {
    if (sizes.size() == 1) numbers.insert(sizes.begin()->second);
    combinations += (combinations.empty() ? "" : "; ") + words(sizes);
  }
  return numbers.empty() ? combinations : all.front().begin()->first + " = " + listed(numbers);
}

bool matches(const Sizes& sizes, const std::map<std::string, std::vector<std::int64_t>>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& entry) {
    const auto& [dim, numbers] = entry;
    return std::find(numbers.begin(), numbers.end(), sizes.at(dim)) != numbers.end();
  });
}

void check_dims(const std::string& path, const Method& method,
                const std::map<std::string, std::vector<std::int64_t>>& wanted) {
  for (const auto& [dim, numbers] : wanted) {
    std::string names;
    for (const Dim& known : method.signature.dims) names += (names.empty() ? "" : ", ") + known.name;
    if (std::none_of(method.signature.dims.begin(), method.signature.dims.end(),
                     [&, &name = dim](const Dim& known) { return known.name == name; }))
      throw Error(ErrorCode::usage, path + ": there is no dim '" + dim + "' to warm up sizes of; " +
                                        (names.empty() ? "all its sizes are fixed" : "it has " + names));
  }
}

/// Every size that is wanted must be in one of the cases that were taken.
void check_found(const std::string& path, const std::vector<Sizes>& taken, const std::vector<Sizes>& all,
                 const std::map<std::string, std::vector<std::int64_t>>& wanted) {
  for (const auto& [dim, numbers] : wanted) {
    std::set<std::int64_t> found;
    std::set<std::int64_t> known;
    for (const Sizes& sizes : taken) found.insert(sizes.at(dim));
    for (const Sizes& sizes : all) known.insert(sizes.at(dim));
    for (const std::int64_t number : numbers)
      if (!found.contains(number))
        throw Error(ErrorCode::usage, path + ": no golden case has " + dim + " = " + std::to_string(number) +
                                          (known.contains(number) ? " with the other sizes wanted" : "") +
                                          "; there are cases of " + listed(known) +
                                          ", and Model::warm_up takes inputs of any size");
  }
}

}  // namespace

std::string words(const Sizes& sizes) {
  std::string text;
  for (const auto& [dim, size] : sizes)
    text += (text.empty() ? "" : ", ") + dim + " = " + std::to_string(size);
  return text.empty() ? "its one size" : text;
}

std::string WarmUp::str() const {
  char time[32];
  std::snprintf(time, sizeof time, milliseconds < 10 ? "%.1f ms" : "%.0f ms", milliseconds);
  return "warmed up for " + words_of_all(sizes) + ": " + counted(calls, "call") + ", " + time + ", " +
         counted(compilations, "graph") + " compiled" +
         (settled ? "" : "; the last calls still compiled, so further ones may");
}

std::vector<std::vector<Tensor>> warm_up_inputs(
    const Archive& archive, const Method& method,
    const std::map<std::string, std::vector<std::int64_t>>& wanted) {
  check_dims(archive.path(), method, wanted);
  std::vector<Sizes> all;
  std::vector<Sizes> taken;
  std::vector<std::vector<Tensor>> result;
  for (Case& one : archive.cases(method.name)) {
    all.push_back(method.signature.sizes(one.inputs));
    const Sizes& sizes = all.back();
    if (!matches(sizes, wanted) || std::find(taken.begin(), taken.end(), sizes) != taken.end()) continue;
    taken.push_back(sizes);
    result.push_back(std::move(one.inputs));
  }
  check_found(archive.path(), taken, all, wanted);
  return result;
}

WarmUp warm_up(const Program& program, const std::vector<std::vector<Tensor>>& inputs) {
  WarmUp report;
  const auto start = std::chrono::steady_clock::now();
  for (const std::vector<Tensor>& one : inputs) {
    int quiet = 0;
    std::string before = program.fingerprint();
    for (int call = 0; call < most_calls && quiet < quiet_calls; ++call) {
      const std::uint64_t compiled = program.compilations();
      program.run(one);
      const std::uint64_t now = program.compilations();
      std::string after = program.fingerprint();
      quiet = now == compiled && after == before ? quiet + 1 : 0;
      before = std::move(after);
      report.compilations += static_cast<std::int64_t>(now - compiled);
      ++report.calls;
    }
    report.settled = report.settled && quiet == quiet_calls;
  }
  const auto end = std::chrono::steady_clock::now();
  report.milliseconds = std::chrono::duration<double, std::milli>(end - start).count();
  return report;
}

}  // namespace kit
