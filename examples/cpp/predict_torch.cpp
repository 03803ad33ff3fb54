// The same with tensors of torch's own: predict_torch mlp.pt 1 1 1

#include <cstdlib>
#include <iostream>
#include <vector>

#include <ATen/Functions.h>

#include <kit/kit.h>
#include <kit/torch.h>

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: predict_torch MODEL X1 X2 X3\n";
    return static_cast<int>(kit::ErrorCode::usage);
  }
  try {
    const kit::Model model = kit::Model::load(argv[1]);
    at::Tensor x = at::empty({1, 3});
    for (int i = 2; i < argc; ++i) x.data_ptr<float>()[i - 2] = std::strtof(argv[i], nullptr);
    const std::vector<at::Tensor> outputs = kit::predict(model, {x});
    std::cout << outputs.front().item<float>() << '\n';
  } catch (const kit::Error& error) {
    std::cerr << "predict_torch: " << error.what() << '\n';
    return static_cast<int>(error.code());
  }
}
