#include <kit/verify.h>

#include <algorithm>

namespace kit {

bool Report::passed() const noexcept { return first_failure() == nullptr; }

bool Report::bit_equal() const noexcept {
  return std::all_of(results.begin(), results.end(),
                     [](const auto& result) { return result.difference.bit_equal; });
}

double Report::max_abs() const noexcept {
  double worst = 0;
  for (const OutputResult& result : results) worst = std::max(worst, result.difference.max_abs);
  return worst;
}

double Report::max_rel() const noexcept {
  double worst = 0;
  for (const OutputResult& result : results) worst = std::max(worst, result.difference.max_rel);
  return worst;
}

const OutputResult* Report::first_failure() const noexcept {
  const auto found = std::find_if(results.begin(), results.end(),
                                  [](const auto& result) { return !result.difference.within; });
  return found == results.end() ? nullptr : &*found;
}

namespace {

/// How often a case is replayed: fused code is compiled while it runs, so the first call shows nothing of it,
/// and the next may be of code that is replaced once more.
int runs_of(const Model& model) { return model.configuration().fusion.value_or(false) ? 3 : 1; }

/// Whether the first says more against the program than the second.
bool is_worse(const Difference& one, const Difference& other) {
  if (one.within != other.within) return !one.within;
  if (one.bit_equal != other.bit_equal) return !one.bit_equal;
  return one.max_abs > other.max_abs;
}

}  // namespace

Report verify(const Model& model, const Archive& archive) {
  const std::vector<Case> cases = archive.cases(model.method());
  const Method& method = archive.manifest()->method(model.method());
  const std::vector<TensorSpec>& specs = method.signature.outputs;
  Report report;
  report.engine = model.engine();
  report.method = method.name;
  report.cases = static_cast<std::int64_t>(cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const std::size_t first = report.results.size();
    for (int run = 0; run < runs_of(model); ++run) {
      if (method.seed) model.seed(static_cast<std::uint64_t>(*method.seed));
      const std::vector<Tensor> outputs = model.predict(cases[i].inputs);
      if (outputs.size() != specs.size())
        throw Error(ErrorCode::parity, archive.path() + ": the program gave " +
                                           std::to_string(outputs.size()) +
                                           " outputs where the manifest names " +
                                           std::to_string(specs.size()) + "; export the model again");
      for (std::size_t j = 0; j < specs.size(); ++j) {
        const Difference found = compare(outputs[j], cases[i].outputs[j], method.tolerances);
        if (run == 0) report.results.push_back({static_cast<std::int64_t>(i), specs[j].name, found});
        Difference& worst = report.results[first + j].difference;
        if (is_worse(found, worst)) worst = found;
      }
    }
  }
  return report;
}

}  // namespace kit
