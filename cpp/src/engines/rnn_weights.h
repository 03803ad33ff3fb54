#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>
#include <torch/csrc/jit/api/module.h>

namespace kit {

/// The weights of one recurrent layer of a program, and what cuDNN has to know of them.
struct RnnWeights {
  enum class Mode : std::int64_t { relu = 0, tanh = 1, lstm = 2, gru = 3 };  ///< as cuDNN numbers them

  Mode mode = Mode::lstm;
  std::vector<at::Tensor> weights;  ///< in torch's order: for each layer and direction, `stride` of them
  std::int64_t stride = 4;
  std::int64_t input_size = 0;
  std::int64_t hidden_size = 0;
  std::int64_t proj_size = 0;  ///< of an LSTM; 0 if its state is not projected
  std::int64_t layers = 1;
  bool batch_first = false;
  bool bidirectional = false;
};

/// Those of all recurrent layers whose weights are attributes of the module or of one inside of it.
std::vector<RnnWeights> rnn_weights(const torch::jit::Module& module);

/// Moves the weights of each recurrent layer of a module on a GPU into one piece of memory, in the order that
/// cuDNN wants. Torch does that when a model in Python is moved; one that is loaded has them anywhere, so
/// that each call copies them, and warns of it.
void gather_rnn_weights(const torch::jit::Module& module);

}  // namespace kit
