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

Report verify(const Model& model, const Archive& archive) {
  const std::vector<Case> cases = archive.cases(model.method());
  const Method& method = archive.manifest()->method(model.method());
  const std::vector<TensorSpec>& specs = method.signature.outputs;
  Report report;
  report.engine = model.engine();
  report.method = method.name;
  report.cases = static_cast<std::int64_t>(cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (method.seed) model.seed(static_cast<std::uint64_t>(*method.seed));
    const std::vector<Tensor> outputs = model.predict(cases[i].inputs);
    if (outputs.size() != specs.size())
      throw Error(ErrorCode::parity, archive.path() + ": the program gave " + std::to_string(outputs.size()) +
                                         " outputs where the manifest names " + std::to_string(specs.size()) +
                                         "; export the model again");
    for (std::size_t j = 0; j < specs.size(); ++j)
      report.results.push_back({static_cast<std::int64_t>(i), specs[j].name,
                                compare(outputs[j], cases[i].outputs[j], method.tolerances)});
  }
  return report;
}

}  // namespace kit
