#include <kit/signature.h>

#include <string_view>

#include <kit/error.h>

namespace kit {
namespace {

std::string range(const Dim& dim) {
  return "'" + dim.name + "' in " + std::to_string(dim.min) + ".." + std::to_string(dim.max);
}

/// Looks at inputs, and then at outputs perhaps: a dim has one size in all of them.
class Check {
 public:
  explicit Check(const Signature& signature)
      : signature_(signature), large_(signature.dims.size() > few ? signature.dims.size() : 0) {}

  void inputs(const std::vector<Tensor>& tensors) {
    kind_ = "input";
    all(signature_.inputs, tensors);
  }

  void outputs(const std::vector<Tensor>& tensors) {
    kind_ = "output";
    all(signature_.outputs, tensors);
  }

 private:
  /// The size that a dim got, and from which tensor.
  struct Bound {
    std::int64_t size = -1;
    const TensorSpec* by = nullptr;
    const char* kind = nullptr;
  };

  void all(const std::vector<TensorSpec>& specs, const std::vector<Tensor>& tensors) {
    if (tensors.size() != specs.size()) {
      std::string names;
      for (const TensorSpec& spec : specs) names += (names.empty() ? "" : ", ") + spec.name;
      refuse("wanted " + std::to_string(specs.size()) + " " + kind_ + "s (" + names + "), got " +
             std::to_string(tensors.size()));
    }
    for (std::size_t i = 0; i < specs.size(); ++i) one(specs[i], tensors[i]);
  }

  void one(const TensorSpec& spec, const Tensor& tensor) {
    if (!tensor.defined()) refuse(spec, signature_.str(spec), "an undefined tensor");
    if (spec.dtype && *spec.dtype != tensor.dtype()) refuse(spec, signature_.str(spec), tensor.str());
    if (!spec.shape) return;
    if (spec.shape->size() != tensor.shape().size())
      refuse(spec, signature_.str(spec), tensor.str() + ": the number of dimensions differs");
    for (std::size_t d = 0; d < spec.shape->size(); ++d) {
      const DimSpec& want = (*spec.shape)[d];
      const std::int64_t size = tensor.shape()[d];
      const auto came = [&](const std::string& what) {
        return tensor.str() + ": dimension " + std::to_string(d) + " " + what;
      };
      if (want.dim < 0) {
        if (size != want.size)
          refuse(spec, signature_.str(spec), came("must be " + std::to_string(want.size)));
        continue;
      }
      const auto index = static_cast<std::size_t>(want.dim);
      const Dim& dim = signature_.dims[index];
      if (size < dim.min || size > dim.max)
        refuse(spec, signature_.str(spec) + " with " + range(dim), came("is " + std::to_string(size)));
      Bound& bound = large_.empty() ? small_[index] : large_[index];
      if (bound.size >= 0 && bound.size != size)
        refuse(spec,
               "'" + dim.name + "' = " + std::to_string(bound.size) + " as in " + bound.kind + " '" +
                   bound.by->name + "'",
               came("is " + std::to_string(size)));
      bound = {size, &spec, kind_};
    }
  }

  [[noreturn]] void refuse(const TensorSpec& spec, const std::string& wanted, const std::string& came) const {
    refuse(std::string(kind_) + " '" + spec.name + "': wanted " + wanted + ", got " + came);
  }

  [[noreturn]] void refuse(const std::string& message) const {
    if (kind_ == std::string_view("input")) throw Error(ErrorCode::input, message);
    throw Error(ErrorCode::parity,
                message +
                    "; the model gives for these inputs what its signature does not say: export it with "
                    "cases that show it, or correct it");
  }

  static constexpr std::size_t few = 8;  // up to so many dims there is no allocation
  const Signature& signature_;
  Bound small_[few];
  std::vector<Bound> large_;
  const char* kind_ = "";
};

}  // namespace

void Signature::check_inputs(const std::vector<Tensor>& tensors) const { Check(*this).inputs(tensors); }

void Signature::check_outputs(const std::vector<Tensor>& tensors, const std::vector<Tensor>& from) const {
  Check check(*this);
  check.inputs(from);
  check.outputs(tensors);
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
