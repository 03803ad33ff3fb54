#include "bench/bare_module.h"

#include <c10/core/InferenceMode.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <kit/error.h>
#include <kit/torch.h>

#include "bench/groups.h"

namespace kit::bench {
namespace {

namespace jit = torch::jit;

jit::Module in_form(jit::Module module, const std::string& method, const std::string& form) {
  const bool is_forward = method == "forward";
  if (form == "loaded") return module;
  if (form == "frozen")
    return jit::freeze(module, is_forward ? std::nullopt : std::optional(std::vector{method}));
  if (form == "optimized")
    return jit::optimize_for_inference(module, is_forward ? std::vector<std::string>{} : std::vector{method});
  throw Error(ErrorCode::usage,
              "'" + form + "' is no form of a bare module; give loaded, frozen or optimized");
}

std::vector<c10::IValue> values_of(const std::vector<Tensor>& inputs) {
  std::vector<c10::IValue> values;
  values.reserve(inputs.size());
  for (const Tensor& input : inputs) values.emplace_back(to_torch(input));
  return values;
}

/// torch's messages have a stack of C++ frames behind their first line.
std::string first_line(const std::exception& error) {
  const std::string text = error.what();
  return text.substr(0, text.find('\n'));
}

}  // namespace

struct BareModule::Impl {
  Impl(jit::Module made, const std::string& name)
      : module(std::move(made)), method(module.get_method(name)) {}

  jit::Module module;
  jit::Method method;
};

BareModule::BareModule(const std::string& path, const std::string& method, const std::string& form) {
  try {
    jit::Module module = jit::load(path);
    module.eval();
    impl_ = std::make_unique<Impl>(in_form(std::move(module), method, form), method);
  } catch (const c10::Error& error) {
    throw Error(ErrorCode::unavailable,
                path + ": libtorch cannot make it ready: " + first_line(error) + "; choose another form");
  }
}

BareModule::~BareModule() = default;

std::vector<Tensor> BareModule::run(const std::vector<Tensor>& inputs) const {
  const c10::InferenceMode inference;
  const std::vector<c10::IValue> given = values_of(inputs);
  const c10::IValue returned = impl_->method(given);
  std::vector<Tensor> outputs;
  if (returned.isTuple())
    for (const c10::IValue& element : returned.toTupleRef().elements())
      outputs.push_back(from_torch(element.toTensor()));
  else
    outputs.push_back(from_torch(returned.toTensor()));
  return outputs;
}

std::vector<double> BareModule::time(const std::vector<Tensor>& inputs, std::size_t groups,
                                     std::size_t calls) const {
  const c10::InferenceMode inference;
  const std::vector<c10::IValue> given = values_of(inputs);
  return time_groups([&] { impl_->method(given); }, groups, calls);
}

}  // namespace kit::bench
