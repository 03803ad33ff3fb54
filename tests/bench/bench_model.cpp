// What kit::Model::predict costs over a bare torch::jit::Module::forward, on the same archive in the same
// process.
//
// Both are called in many short rounds that take turns, so that what disturbs the machine disturbs both; the
// ratio and the difference are formed within a round, and their spread over the rounds is printed.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <kit/kit.h>
#include <kit/torch.h>

namespace {

using Clock = std::chrono::steady_clock;

constexpr int rounds = 400;
constexpr int warm_up_calls = 300;  // the profiling executor has settled long before
constexpr double round_microseconds = 1000;

struct Contestant {
  std::string name;
  std::function<void()> call;
  std::vector<double> times = {};  ///< microseconds for a call, one for each round
};

double time_calls(const std::function<void()>& call, int calls) {
  const auto start = Clock::now();
  for (int i = 0; i < calls; ++i) call();
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count() / calls;
}

struct Spread {
  double p10 = 0;
  double median = 0;
  double p90 = 0;
};

Spread spread(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return {values[n / 10], values[n / 2], values[n - 1 - n / 10]};
}

void measure(std::vector<Contestant>& contestants) {
  for (const Contestant& one : contestants) time_calls(one.call, warm_up_calls);
  const double call = std::max(0.1, time_calls(contestants.front().call, warm_up_calls));
  const int calls = std::max(1, static_cast<int>(round_microseconds / call));
  for (int round = 0; round < rounds; ++round) {
    // Each one comes first, second and third equally often.
    for (std::size_t i = 0; i < contestants.size(); ++i) {
      Contestant& one = contestants[(i + static_cast<std::size_t>(round)) % contestants.size()];
      one.times.push_back(time_calls(one.call, calls));
    }
  }
}

void print(std::int64_t batch, const std::vector<Contestant>& contestants) {
  const std::vector<double>& bare = contestants.front().times;
  for (const Contestant& one : contestants) {
    const Spread time = spread(one.times);
    std::printf("%6lld  %-34s %8.2f", static_cast<long long>(batch), one.name.c_str(), time.median);
    if (&one == &contestants.front()) {
      std::printf("   (%.2f–%.2f)\n", time.p10, time.p90);
      continue;
    }
    std::vector<double> ratios;
    std::vector<double> differences;
    for (std::size_t i = 0; i < bare.size(); ++i) {
      ratios.push_back(one.times[i] / bare[i]);
      differences.push_back(one.times[i] - bare[i]);
    }
    const Spread ratio = spread(ratios);
    const Spread difference = spread(differences);
    std::printf("   ratio %.3f (%.3f–%.3f)   difference %+.2f µs (%+.2f–%+.2f)\n", ratio.median, ratio.p10,
                ratio.p90, difference.median, difference.p10, difference.p90);
  }
}

/// An input of the model's for that many rows: float32, numbers between -1 and 1.
kit::Tensor make_input(const kit::Signature& signature, std::int64_t batch) {
  const kit::TensorSpec& spec = signature.inputs.front();
  kit::Shape shape;
  for (const kit::DimSpec& dim : *spec.shape) shape.push_back(dim.dim < 0 ? dim.size : batch);
  const auto count = std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 201) / 100.0F - 1.0F;
  return kit::Tensor::of(values, shape);
}

int run(const std::string& path) {
  const kit::Model model =
      kit::Model::load(path, {.engine = kit::Engine::torchscript, .configuration = {.threads = 1}});
  const kit::Signature& signature = model.signature();
  if (signature.batch() == nullptr || signature.inputs.size() != 1 || signature.outputs.size() != 1 ||
      signature.inputs.front().dtype != kit::DType::float32) {
    std::fprintf(stderr, "bench_model: %s: wanted one float32 input and one output, both led by a dim\n",
                 path.c_str());
    return 2;
  }
  torch::jit::Module module = torch::jit::load(path);
  module.eval();
  at::set_num_threads(1);
  const at::NoGradGuard no_grad;

  std::printf("%s, one thread; microseconds for a call, median of %d rounds (p10–p90)\n", path.c_str(),
              rounds);
  for (const std::int64_t batch : {1, 64, 1024}) {
    const kit::Tensor ours = make_input(signature, batch);
    const at::Tensor theirs = kit::to_torch(ours).clone();
    const at::Tensor expected = module.forward({theirs}).toTensor();
    if (!kit::compare(model.predict({ours}).front(), kit::from_torch(expected), kit::Tolerance{}).bit_equal) {
      std::fprintf(stderr, "bench_model: %s: the two do not compute the same\n", path.c_str());
      return 5;
    }
    std::vector<Contestant> contestants{
        {"torch::jit::Module::forward", [&] { module.forward({theirs}).toTensor(); }},
        {"kit::Model::predict, kit::Tensor", [&] { model.predict({ours}); }},
        {"kit::predict, at::Tensor", [&] { kit::predict(model, {theirs}); }},
    };
    measure(contestants);
    print(batch, contestants);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: bench_model MODEL\n");
    return 2;
  }
  try {
    return run(argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_model: error: %s\n", error.what());
    return 1;
  }
}
