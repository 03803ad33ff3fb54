#include <kit/archive.h>

#include <map>

#include "core/cases.h"
#include "core/safetensors.h"

namespace kit {
namespace {

/// Takes tensors by their names: copies, because a model may write into its inputs.
class Tensors {
 public:
  Tensors(const Archive& archive, const std::string& member) : where_(archive.path()) {
    const auto file = archive.member(member);
    const auto length = safetensors::header_length(file, file.size(), ErrorCode::archive, where_);
    const std::string_view json(reinterpret_cast<const char*>(file.data()) + safetensors::length_bytes,
                                length);
    data_ = file.subspan(safetensors::length_bytes + length);
    for (auto& entry : safetensors::parse_header(json, data_.size(), ErrorCode::archive, where_)) {
      std::string key = entry.name;
      entries_.emplace(std::move(key), std::move(entry));
    }
  }

  Tensor take(const std::string& prefix, const TensorSpec& spec) {
    const auto found = entries_.find(prefix + spec.name);
    if (found == entries_.end())
      throw Error(ErrorCode::archive,
                  where_ + ": the golden cases lack '" + prefix + spec.name + "'; export the model again");
    const safetensors::Entry& entry = found->second;
    Tensor copy = Tensor::empty(entry.dtype, entry.shape);
    std::memcpy(copy.data(), data_.data() + entry.begin, copy.nbytes());
    return copy;
  }

 private:
  std::string where_;
  std::span<const std::byte> data_;
  std::map<std::string, safetensors::Entry> entries_;
};

}  // namespace

std::string cases_member(const std::string& method) {
  if (method == "forward") return "extra/kit/cases.safetensors";
  return "extra/kit/methods/" + method + "/cases.safetensors";
}

std::vector<Case> Archive::cases(std::string_view method) const {
  const Manifest* known = manifest();
  const Method* wanted = known != nullptr ? &known->method(method) : nullptr;
  if (wanted == nullptr || wanted->cases == 0)
    throw Error(ErrorCode::archive, path() + ": it has no golden cases to replay" +
                                        (method == "forward" ? "" : " for '" + std::string(method) + "'") +
                                        "; write an archive that has with python -m kit.export");
  Tensors tensors(*this, cases_member(wanted->name));
  std::vector<Case> result;
  for (std::int64_t i = 0; i < wanted->cases; ++i) {
    Case one;
    const std::string prefix = std::to_string(i);
    for (const TensorSpec& spec : wanted->signature.inputs)
      one.inputs.push_back(tensors.take(prefix + ".inputs.", spec));
    for (const TensorSpec& spec : wanted->signature.outputs)
      one.outputs.push_back(tensors.take(prefix + ".outputs.", spec));
    result.push_back(std::move(one));
  }
  return result;
}

}  // namespace kit
