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

/// torch's messages have a stack of C++ frames behind their first line.
std::string first_line(const std::exception& error) {
  const std::string text = error.what();
  return text.substr(0, text.find('\n'));
}

}  // namespace

struct BareModule::Impl {
  jit::Module module;
  jit::Method method;
};

BareModule::BareModule(const std::string& path, const std::string& method, const std::string& form) {
  try {
    jit::Module module = jit::load(path);
    module.eval();
    module = in_form(std::move(module), method, form);
    impl_ = std::unique_ptr<Impl>(new Impl{module, module.get_method(method)});
  } catch (const c10::Error& error) {
    throw Error(ErrorCode::unavailable,
                path + ": libtorch cannot make it ready: " + first_line(error) + "; choose another form");
  }
}

BareModule::~BareModule() = default;

std::vector<Tensor> BareModule::run(const std::vector<Tensor>& inputs) const {
  const c10::InferenceMode inference;
  std::vector<c10::IValue> given;
  for (const Tensor& input : inputs) given.emplace_back(to_torch(input));
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
  std::vector<c10::IValue> given;
  for (const Tensor& input : inputs) given.emplace_back(to_torch(input));
  return time_groups([&] { impl_->method(given); }, groups, calls);
}

}  // namespace kit::bench
