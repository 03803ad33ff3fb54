#include <kit/signature.h>

#include <kit/error.h>

namespace kit {
namespace {

[[noreturn]] void refuse(const TensorSpec& spec, const std::string& wanted, const std::string& came) {
  throw Error(ErrorCode::input, "input '" + spec.name + "': wanted " + wanted + ", got " + came);
}

std::string range(const Dim& dim) {
  return "'" + dim.name + "' in " + std::to_string(dim.min) + ".." + std::to_string(dim.max);
}

}  // namespace

void Signature::check_inputs(const std::vector<Tensor>& tensors) const {
  if (tensors.size() != inputs.size()) {
    std::string names;
    for (const TensorSpec& spec : inputs) names += (names.empty() ? "" : ", ") + spec.name;
    throw Error(ErrorCode::input, "wanted " + std::to_string(inputs.size()) + " inputs (" + names +
                                      "), got " + std::to_string(tensors.size()));
  }
  // The size each dim got, and from which input. Few dims: no allocation for up to eight of them.
  constexpr std::size_t few = 8;
  struct Bound {
    std::int64_t size = -1;
    const TensorSpec* by = nullptr;
  };
  Bound small[few];
  std::vector<Bound> large(dims.size() > few ? dims.size() : 0);
  Bound* bounds = large.empty() ? small : large.data();

  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const TensorSpec& spec = inputs[i];
    const Tensor& tensor = tensors[i];
    if (!tensor.defined()) refuse(spec, str(spec), "an undefined tensor");
    if (spec.dtype && *spec.dtype != tensor.dtype()) refuse(spec, str(spec), tensor.str());
    if (!spec.shape) continue;
    if (spec.shape->size() != tensor.shape().size())
      refuse(spec, str(spec), tensor.str() + ": the number of dimensions differs");
    for (std::size_t d = 0; d < spec.shape->size(); ++d) {
      const DimSpec& want = (*spec.shape)[d];
      const std::int64_t size = tensor.shape()[d];
      if (want.dim < 0) {
        if (size != want.size)
          refuse(spec, str(spec),
                 tensor.str() + ": dimension " + std::to_string(d) + " must be " + std::to_string(want.size));
        continue;
      }
      const auto index = static_cast<std::size_t>(want.dim);
      const Dim& dim = dims[index];
      if (size < dim.min || size > dim.max)
        refuse(spec, str(spec) + " with " + range(dim),
               tensor.str() + ": dimension " + std::to_string(d) + " is " + std::to_string(size));
      Bound& bound = bounds[index];
      if (bound.size >= 0 && bound.size != size)
        refuse(spec,
               "'" + dim.name + "' = " + std::to_string(bound.size) + " as in input '" + bound.by->name + "'",
               tensor.str() + ": dimension " + std::to_string(d) + " is " + std::to_string(size));
      bound = {size, &spec};
    }
  }
}

std::map<std::string, std::int64_t> Signature::sizes(const std::vector<Tensor>& tensors) const {
  std::map<std::string, std::int64_t> result;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].shape) continue;
    const std::vector<DimSpec>& shape = *inputs[i].shape;
    for (std::size_t d = 0; d < shape.size(); ++d)
      if (shape[d].dim >= 0)
        result[dims[static_cast<std::size_t>(shape[d].dim)].name] = tensors[i].shape()[d];
  }
  return result;
}

const Dim* Signature::batch() const {
  std::int32_t leading = -1;
  const auto leads = [&](const TensorSpec& spec) {
    if (!spec.shape || spec.shape->empty() || spec.shape->front().dim < 0) return false;
    if (leading < 0) leading = spec.shape->front().dim;
    return spec.shape->front().dim == leading;
  };
  if (inputs.empty() || outputs.empty()) return nullptr;
  for (const TensorSpec& spec : inputs)
    if (!leads(spec)) return nullptr;
  for (const TensorSpec& spec : outputs)
    if (!leads(spec)) return nullptr;
  return &dims[static_cast<std::size_t>(leading)];
}

std::string Signature::str(const TensorSpec& spec) const {
  std::string text(spec.dtype ? name(*spec.dtype) : "?");
  if (!spec.shape) return text + "[?]";
  text += "[";
  for (std::size_t d = 0; d < spec.shape->size(); ++d) {
    if (d > 0) text += ", ";
    const DimSpec& entry = (*spec.shape)[d];
    text += entry.dim < 0 ? std::to_string(entry.size) : dims[static_cast<std::size_t>(entry.dim)].name;
  }
  return text + "]";
}

}  // namespace kit
