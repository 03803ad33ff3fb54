#include "endurance/subject.h"

#include <cstring>

#include <kit/archive.h>
#include <kit/verify.h>

namespace kit::endurance {
namespace {

bool same_bits(const Tensor& one, const Tensor& other) {
  return one.dtype() == other.dtype() && one.shape() == other.shape() && one.is_contiguous() &&
         other.is_contiguous() &&
         std::memcmp(one.data(), other.data(),
                     static_cast<std::size_t>(one.numel()) * item_size(one.dtype())) == 0;
}

}  // namespace

Subject::Subject(const std::string& path, Engine engine, const Configuration& configuration)
    : archive_(Archive::open(path)), options_{.engine = engine, .configuration = configuration} {
  const Model model = load();
  const Report report = verify(model, archive_);
  if (!report.passed()) throw Error(ErrorCode::parity, path + ": the outputs are not those of its cases");
  for (Case& one : archive_.cases("forward")) {
    outputs_.push_back(model.predict(one.inputs));
    inputs_.push_back(std::move(one.inputs));
  }
}

bool Subject::predicts(const Model& model, std::size_t index) const {
  const std::vector<Tensor> outputs = model.predict(inputs_[index]);
  if (outputs.size() != outputs_[index].size()) return false;
  for (std::size_t i = 0; i < outputs.size(); ++i)
    if (!same_bits(outputs[i], outputs_[index][i])) return false;
  return true;
}

std::uint64_t draw(std::uint64_t& state) noexcept {
  // SplitMix64, by Sebastiano Vigna.
  std::uint64_t z = state += 0x9E3779B97F4A7C15U;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}

}  // namespace kit::endurance
