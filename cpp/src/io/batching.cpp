#include "io/batching.h"

#include <algorithm>
#include <limits>
#include <string>

#include <kit/error.h>

namespace kit::io {

namespace {

constexpr std::int64_t default_size = 1024;

bool shapes_known(const Signature& signature) {
  const auto known = [](const TensorSpec& spec) { return spec.shape.has_value(); };
  return !signature.inputs.empty() && !signature.outputs.empty() &&
         std::all_of(signature.inputs.begin(), signature.inputs.end(), known) &&
         std::all_of(signature.outputs.begin(), signature.outputs.end(), known);
}

/// Whether the dim stands only in front: in [batch, batch] a part of the rows is no input by itself.
bool only_leads(const Signature& signature, const Dim& dim) {
  const auto leads = [&](const TensorSpec& spec) {
    return std::none_of(spec.shape->begin() + 1, spec.shape->end(), [&](const DimSpec& size) {
      return size.dim >= 0 && &signature.dims[static_cast<std::size_t>(size.dim)] == &dim;
    });
  };
  return std::all_of(signature.inputs.begin(), signature.inputs.end(), leads) &&
         std::all_of(signature.outputs.begin(), signature.outputs.end(), leads);
}

/// The fixed size that leads every input and output; 0 if there is none.
std::int64_t fixed_lead(const Signature& signature) {
  std::int64_t lead = 0;
  for (const auto* specs : {&signature.inputs, &signature.outputs}) {
    for (const TensorSpec& spec : *specs) {
      if (spec.shape->empty() || spec.shape->front().dim >= 0) return 0;
      const std::int64_t size = spec.shape->front().size;
      if (lead == 0) lead = size;
      if (size != lead) return 0;
    }
  }
  return lead;
}

Batching choose(const Signature& signature, Format format) {
  constexpr std::int64_t unlimited = std::numeric_limits<std::int64_t>::max();
  using Kind = Batching::Kind;
  if (!shapes_known(signature)) {
    // An archive without a manifest: only the columns of a CSV file are rows for sure.
    if (format == Format::csv) return {Kind::rows, default_size, 0, unlimited};
    return {};
  }
  if (const Dim* dim = signature.batch(); dim != nullptr && only_leads(signature, *dim))
    return {
        Kind::rows,
        std::clamp(default_size, std::max<std::int64_t>(dim->min, 1), std::max<std::int64_t>(dim->max, 1)),
        dim->min, dim->max};
  // .npy and .safetensors tell a shape, which has to be the signature's; lines of text tell none.
  if (is_text(format)) {
    if (const std::int64_t lead = fixed_lead(signature); lead > 0) return {Kind::fixed, lead, lead, lead};
  }
  return {};
}

}  // namespace

Batching Batching::of(const Signature& signature, Format format, std::optional<std::int64_t> requested,
                      bool divisible) {
  Batching result = choose(signature, format);
  if (!requested) {
    if (!divisible && result.kind == Kind::rows) {
      result.size = std::max<std::int64_t>(result.max, 1);
      result.cuts = false;
    }
    return result;
  }
  if (result.kind == Kind::whole)
    throw Error(ErrorCode::usage,
                "--batch " + std::to_string(*requested) +
                    ": the model has no batch dimension that could be cut; leave --batch out");
  const std::int64_t least = std::max<std::int64_t>(result.min, 1);
  if (*requested < least || *requested > result.max) {
    const std::string range = result.kind == Kind::fixed ? "exactly " + std::to_string(result.size)
                              : result.max == std::numeric_limits<std::int64_t>::max()
                                  ? "1 or more"
                                  : std::to_string(least) + " to " + std::to_string(result.max);
    throw Error(ErrorCode::usage, "--batch " + std::to_string(*requested) +
                                      " is not possible: the model takes " + range + " rows in a call");
  }
  result.size = *requested;
  return result;
}

}  // namespace kit::io
