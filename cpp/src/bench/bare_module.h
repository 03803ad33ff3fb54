#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <kit/tensor.h>

namespace kit::bench {

/// A TorchScript file as a C++ program runs it that uses libtorch and no kit: loaded with torch::jit::load,
/// called in inference mode. What kit's own engine is measured against.
class BareModule {
 public:
  /// How it is made ready: "loaded" as it is, "frozen" with torch::jit::freeze, or "optimized" with
  /// torch::jit::optimize_for_inference. Throws a usage error for another form, an unavailable error with
  /// what libtorch says if it cannot make it ready.
  BareModule(const std::string& path, const std::string& method, const std::string& form);
  ~BareModule();
  BareModule(const BareModule&) = delete;
  BareModule& operator=(const BareModule&) = delete;

  /// Outputs of one call: of a method that returns a tensor, or a flat tuple of tensors.
  std::vector<Tensor> run(const std::vector<Tensor>& inputs) const;

  /// Calls with at::Tensors over these inputs; see `time_groups`.
  std::vector<double> time(const std::vector<Tensor>& inputs, std::size_t groups, std::size_t calls) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kit::bench
