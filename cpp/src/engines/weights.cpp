#include "engines/weights.h"

#include <cstring>
#include <memory>

#include "core/file.h"
#include "core/safetensors.h"

namespace kit {
namespace {

constexpr std::string_view cases_prefix = "cases/";

/// Takes the tensors of one case out of those that the file has.
class CaseReader {
 public:
  CaseReader(std::map<std::string, Tensor>& left, const std::string& path) : left_(left), path_(path) {}

  std::vector<Tensor> take(std::size_t index, const char* kind, const std::vector<TensorSpec>& specs) {
    std::vector<Tensor> result;
    for (const TensorSpec& spec : specs) {
      const std::string name =
          std::string(cases_prefix) + std::to_string(index) + "." + kind + "." + spec.name;
      const auto found = left_.find(name);
      if (found == left_.end())
        throw Error(ErrorCode::input,
                    path_ + ": there is no '" + name + "'; a case needs every input and output of the model");
      result.push_back(std::move(found->second));
      left_.erase(found);
    }
    return result;
  }

 private:
  std::map<std::string, Tensor>& left_;
  const std::string& path_;
};

/// All tensors of the file, over its own memory.
std::map<std::string, Tensor> read_tensors(const std::string& path) {
  const auto file = std::make_shared<MappedFile>(path, ErrorCode::input);
  const std::span<const std::byte> bytes = file->bytes();
  const auto length = safetensors::header_length(bytes, bytes.size(), ErrorCode::input, path);
  const std::string_view json(reinterpret_cast<const char*>(bytes.data()) + safetensors::length_bytes,
                              length);
  const std::span<const std::byte> data = bytes.subspan(safetensors::length_bytes + length);
  std::map<std::string, Tensor> result;
  for (const auto& entry : safetensors::parse_header(json, data.size(), ErrorCode::input, path)) {
    // A tensor's memory may be written to in principle. Nobody does so here.
    auto* first = const_cast<std::byte*>(data.data() + entry.begin);
    result.emplace(entry.name, Tensor(first, entry.dtype, entry.shape, {}, {}, file));
  }
  return result;
}

/// A copy in memory that is aligned.
Tensor copied(const Tensor& tensor) {
  Tensor copy = Tensor::empty(tensor.dtype(), tensor.shape());
  if (copy.nbytes() > 0) std::memcpy(copy.data(), tensor.data(), copy.nbytes());
  return copy;
}

}  // namespace

Weights read_weights(const std::string& path, const Signature& signature) {
  Weights result;
  std::map<std::string, Tensor> cases;
  for (auto& [name, tensor] : read_tensors(path)) {
    const bool is_case = name.starts_with(cases_prefix);
    (is_case ? cases : result.tensors).emplace(name, is_case ? copied(tensor) : tensor);
  }
  CaseReader reader(cases, path);
  const auto is_there = [&](std::size_t index) {
    const std::string start = std::string(cases_prefix) + std::to_string(index) + ".";
    const auto found = cases.lower_bound(start);
    return found != cases.end() && found->first.starts_with(start);
  };
  for (std::size_t i = 0; is_there(i); ++i) {
    Case one;
    one.inputs = reader.take(i, "inputs", signature.inputs);
    one.outputs = reader.take(i, "outputs", signature.outputs);
    try {
      signature.check_inputs(one.inputs);
    } catch (const Error& error) {
      throw Error(error.code(), path + ": case " + std::to_string(i) + ": " + error.what());
    }
    result.cases.push_back(std::move(one));
  }
  if (!cases.empty())
    throw Error(ErrorCode::input,
                path + ": '" + cases.begin()->first +
                    "' is no input or output of the model, in cases that are counted from 0");
  return result;
}

void replay(const Weights& weights, const std::string& path, const Signature& signature,
            const Tolerances& tolerances, const Program::Run& run, const std::function<void()>& seed) {
  for (std::size_t i = 0; i < weights.cases.size(); ++i) {
    seed();
    const std::vector<Tensor> outputs = run(weights.cases[i].inputs);
    for (std::size_t j = 0; j < outputs.size(); ++j) {
      const Difference found = compare(outputs[j], weights.cases[i].outputs[j], tolerances);
      if (!found.within)
        throw Error(ErrorCode::parity,
                    path + ": case " + std::to_string(i) + ", output '" + signature.outputs[j].name +
                        "': " + found.reason +
                        "; the weights before are in use again: save the cases of the model "
                        "that these weights are of");
    }
  }
}

}  // namespace kit
