#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <kit/archive.h>
#include <kit/signature.h>
#include <kit/tensor.h>

namespace kit::bench {

/// Sizes of dims by name.
using Sizes = std::map<std::string, std::int64_t>;

/// What a method is measured with: its golden inputs, where there are none of the wanted sizes their rows
/// over and over, and where there are none at all random values.
class Workload {
 public:
  /// Throws an archive error for an archive without a manifest, a usage error for a method that is not there.
  Workload(const Archive& archive, const std::string& method);

  const Signature& signature() const noexcept { return signature_; }

  /// The sizes of the golden cases, each once, in ascending order; without cases those of batch 1, 64 and
  /// 1024, as far as they are allowed.
  std::vector<Sizes> sizes() const;

  /// Sizes with this batch; the others are those of the golden case of the largest batch. Throws an input
  /// error if it is out of range, a usage error if the model has no such dimension.
  Sizes with_batch(std::int64_t batch) const;

  /// How many rows a call of these sizes has; 1 for a model without a batch.
  std::int64_t rows(const Sizes& sizes) const;

  /// Inputs of these sizes, on the CPU.
  std::vector<Tensor> inputs(const Sizes& sizes) const;

  /// "golden cases", "golden cases and their rows repeated" or "random values": where inputs of these sizes
  /// come from.
  std::string origin(const Sizes& sizes) const;

 private:
  /// What varies from call to call: the dim that leads all inputs and outputs, else that of the name batch,
  /// else the only one. Null if there is none.
  const Dim* batch_dim() const;
  const Case* case_of(const Sizes& sizes) const;
  const Case* largest() const;

  std::string path_;
  Signature signature_;
  std::vector<Case> cases_;
};

}  // namespace kit::bench
