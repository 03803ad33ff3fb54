#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <kit/dtype.h>
#include <kit/tensor.h>

namespace kit {

/// A dimension whose size may vary, by name: wherever the name stands, the size is the same.
struct Dim {
  std::string name;
  std::int64_t min = 1;  ///< smallest size, inclusive
  std::int64_t max = 1;  ///< largest size, inclusive
};

/// One entry of a shape: a fixed size, or one of the signature's dims.
struct DimSpec {
  std::int64_t size = 0;  ///< the fixed size, where `dim` is negative
  std::int32_t dim = -1;  ///< index into `Signature::dims`, or negative
};

/// What is known of one input or output. What is unknown (an archive without a manifest) is not checked.
struct TensorSpec {
  std::string name;
  std::optional<DType> dtype;
  std::optional<std::vector<DimSpec>> shape;
};

/// Names, dtypes and shapes of what a model takes and gives.
struct Signature {
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  std::vector<Dim> dims;

  /// Throws an input error that names the input, what was wanted and what came, if the count, a dtype, a
  /// rank, a fixed size, a dim's range, or the agreement of a dim between inputs is wrong. Values are
  /// not looked at: NaN and Inf are data, and so is an empty batch where the range allows 0.
  void check_inputs(const std::vector<Tensor>& tensors) const;

  /// Throws a parity error that names the output, what was promised and what came, if outputs for inputs that
  /// fit are of another count, dtype, rank or size.
  void check_outputs(const std::vector<Tensor>& tensors, const std::vector<Tensor>& from) const;

  /// The sizes of the dims in inputs that fit.
  std::map<std::string, std::int64_t> sizes(const std::vector<Tensor>& tensors) const;

  /// The dim that leads every input and every output, so that rows can be predicted in batches of any
  /// size in its range; or null if there is none, or if a shape is unknown.
  const Dim* batch() const;

  /// "float32[batch, 3]"; "?" for what is unknown.
  std::string str(const TensorSpec& spec) const;
};

}  // namespace kit
