#include "bench/workload.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <random>
#include <set>

#include <kit/error.h>

namespace kit::bench {
namespace {

/// The tensor's elements over and over until the shape is full: where a dimension grows, it begins again.
Tensor repeated(const Tensor& tensor, const Shape& shape) {
  const Tensor source = tensor.contiguous();
  Tensor result = Tensor::empty(source.dtype(), shape);
  const std::size_t size = item_size(source.dtype());
  const auto* from = static_cast<const std::byte*>(source.data());
  auto* to = static_cast<std::byte*>(result.data());
  Shape at(shape.size(), 0);
  for (std::int64_t i = 0; i < result.numel(); ++i) {
    std::int64_t offset = 0;
    for (std::size_t d = 0; d < shape.size(); ++d)
      offset = offset * source.shape()[d] + at[d] % source.shape()[d];
    std::memcpy(to + static_cast<std::size_t>(i) * size, from + static_cast<std::size_t>(offset) * size,
                size);
    for (std::size_t d = shape.size(); d-- > 0 && ++at[d] == shape[d];) at[d] = 0;
  }
  return result;
}

/// Floating-point numbers from -1 to 1; integers are 0 or 1, which are right most often.
Tensor random(DType dtype, const Shape& shape, std::mt19937& generator) {
  Tensor result = Tensor::empty(dtype, shape);
  std::uniform_real_distribution<float> real(-1, 1);
  std::uniform_int_distribution<int> bit(0, 1);
  const std::size_t size = item_size(dtype);
  auto* to = static_cast<std::byte*>(result.data());
  const auto put = [&to](auto value) {
    std::memcpy(to, &value, sizeof value);
    to += sizeof value;
  };
  for (std::int64_t i = 0; i < result.numel(); ++i) {
    switch (dtype) {
      case DType::float16:
        put(float_to_float16(real(generator)));
        break;
      case DType::bfloat16:
        put(float_to_bfloat16(real(generator)));
        break;
      case DType::float32:
        put(real(generator));
        break;
      case DType::float64:
        put(static_cast<double>(real(generator)));
        break;
      case DType::complex64:
        put(real(generator));
        put(real(generator));
        break;
      case DType::complex128:
        put(static_cast<double>(real(generator)));
        put(static_cast<double>(real(generator)));
        break;
      default:
        // The lowest byte comes first.
        std::memset(to, 0, size);
        *to = static_cast<std::byte>(bit(generator));
        to += size;
    }
  }
  return result;
}

bool leads(const Signature& signature, const TensorSpec& spec, const Dim& dim) {
  return spec.shape && !spec.shape->empty() && spec.shape->front().dim >= 0 &&
         &signature.dims[static_cast<std::size_t>(spec.shape->front().dim)] == &dim;
}

}  // namespace

Workload::Workload(const Archive& archive, const std::string& method) : path_(archive.path()) {
  if (archive.manifest() == nullptr)
    throw Error(ErrorCode::archive,
                path_ +
                    " has no manifest, hence nothing to make inputs from; write an archive with python -m "
                    "kit.export, or make one of the file with python -m kit adopt");
  const Method& known = archive.manifest()->method(method);
  signature_ = known.signature;
  if (known.cases > 0) cases_ = archive.cases(method);
}

const Dim* Workload::batch_dim() const {
  if (const Dim* leading = signature_.batch()) return leading;
  for (const Dim& dim : signature_.dims)
    if (dim.name == "batch") return &dim;
  return signature_.dims.size() == 1 ? &signature_.dims.front() : nullptr;
}

const Case* Workload::case_of(const Sizes& sizes) const {
  const auto found = std::find_if(cases_.begin(), cases_.end(),
                                  [&](const Case& one) { return signature_.sizes(one.inputs) == sizes; });
  return found == cases_.end() ? nullptr : &*found;
}

const Case* Workload::largest() const {
  const Dim* batch = batch_dim();
  const auto size = [&](const Case& one) {
    const Sizes sizes = signature_.sizes(one.inputs);
    const auto found = batch == nullptr ? sizes.end() : sizes.find(batch->name);
    return found == sizes.end() ? 0 : found->second;
  };
  const auto found = std::max_element(cases_.begin(), cases_.end(),
                                      [&](const Case& a, const Case& b) { return size(a) < size(b); });
  return found == cases_.end() ? nullptr : &*found;
}

std::vector<Sizes> Workload::sizes() const {
  std::set<Sizes> all;
  for (const Case& one : cases_) all.insert(signature_.sizes(one.inputs));
  if (all.empty()) {
    const Dim* batch = batch_dim();
    for (const std::int64_t wanted : {1, 64, 1024})
      if (batch != nullptr && wanted >= batch->min && wanted <= batch->max) all.insert(with_batch(wanted));
    if (all.empty() && batch != nullptr) all.insert(with_batch(batch->min));
    if (all.empty()) all.insert(Sizes{});
  }
  return {all.begin(), all.end()};
}

Sizes Workload::with_batch(std::int64_t batch) const {
  const Dim* dim = batch_dim();
  if (dim == nullptr)
    throw Error(
        ErrorCode::usage,
        path_ + (signature_.dims.empty() ? ": all sizes of its inputs are fixed; leave --batch out"
                                         : ": none of its dims is the batch; leave --batch out, and the "
                                           "sizes of its golden cases are measured"));
  if (batch < dim->min || batch > dim->max)
    throw Error(ErrorCode::usage, path_ + ": --batch " + std::to_string(batch) + " is out of range: '" +
                                      dim->name + "' is in " + std::to_string(dim->min) + ".." +
                                      std::to_string(dim->max));
  Sizes sizes;
  for (const Dim& one : signature_.dims) sizes[one.name] = one.min;
  if (const Case* base = largest()) sizes = signature_.sizes(base->inputs);
  sizes[dim->name] = batch;
  return sizes;
}

std::int64_t Workload::rows(const Sizes& sizes) const {
  const Dim* dim = batch_dim();
  const auto found = dim == nullptr ? sizes.end() : sizes.find(dim->name);
  const bool by_row =
      dim != nullptr && !signature_.inputs.empty() && leads(signature_, signature_.inputs.front(), *dim);
  return by_row && found != sizes.end() ? found->second : 1;
}

std::vector<Tensor> Workload::inputs(const Sizes& sizes) const {
  if (const Case* one = case_of(sizes)) return one->inputs;
  const Case* base = largest();
  std::mt19937 generator(0);
  std::vector<Tensor> result;
  for (std::size_t i = 0; i < signature_.inputs.size(); ++i) {
    const TensorSpec& spec = signature_.inputs[i];
    if (!spec.shape || !spec.dtype)
      throw Error(ErrorCode::archive, path_ + ": input '" + spec.name + "' has no shape to make values of");
    Shape shape;
    for (const DimSpec& entry : *spec.shape)
      shape.push_back(entry.dim < 0 ? entry.size
                                    : sizes.at(signature_.dims[static_cast<std::size_t>(entry.dim)].name));
    const bool repeats = base != nullptr && base->inputs[i].numel() > 0;
    result.push_back(repeats ? repeated(base->inputs[i], shape) : random(*spec.dtype, shape, generator));
  }
  return result;
}

std::string Workload::origin(const Sizes& sizes) const {
  if (case_of(sizes) != nullptr) return "golden cases";
  return cases_.empty() ? "random values" : "golden cases and their rows repeated";
}

}  // namespace kit::bench
