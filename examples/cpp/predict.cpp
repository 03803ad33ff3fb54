// Predicts with the archive of examples/mlp: predict mlp.pt 1 1 1

#include <cstdlib>
#include <iostream>
#include <vector>

#include <kit/kit.h>

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: predict MODEL X1 X2 X3\n";
    return static_cast<int>(kit::ErrorCode::usage);
  }
  try {
    const kit::Model model = kit::Model::load(argv[1]);
    std::vector<float> row;
    for (int i = 2; i < argc; ++i) row.push_back(std::strtof(argv[i], nullptr));
    const std::vector<kit::Tensor> outputs = model.predict({kit::Tensor::of(row, {1, 3})});
    std::cout << outputs.front().data_as<float>()[0] << '\n';
  } catch (const kit::Error& error) {
    std::cerr << "predict: " << error.what() << '\n';
    return static_cast<int>(error.code());
  }
}
