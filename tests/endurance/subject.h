#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <kit/model.h>

namespace kit::endurance {

/// An archive with one of its programs: the inputs of its golden cases, and what the program gives for them
/// in a single thread.
class Subject {
 public:
  /// Loads the program once. Throws `Error`, a parity error if the outputs are not those of the golden cases.
  Subject(const std::string& path, Engine engine, const Configuration& configuration = {});

  Model load() const { return Model::load(archive_, options_); }

  /// From the path, so that the archive is opened as well.
  Model load_anew() const { return Model::load(archive_.path(), options_); }

  std::size_t cases() const noexcept { return inputs_.size(); }

  /// Whether the model gives the very bits for a case. Throws as `Model::predict` does.
  bool predicts(const Model& model, std::size_t index) const;

  Engine engine() const noexcept { return options_.engine; }

 private:
  Archive archive_;
  Options options_;
  std::vector<std::vector<Tensor>> inputs_;
  std::vector<std::vector<Tensor>> outputs_;
};

/// A number that looks random, the next for the same state: what is drawn depends on the seed alone.
std::uint64_t draw(std::uint64_t& state) noexcept;

}  // namespace kit::endurance
