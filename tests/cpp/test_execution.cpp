#include "engines/execution.h"

#include <functional>
#include <thread>

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/codegen/fuser/interface.h>
#include <torch/csrc/jit/passes/tensorexpr_fuser.h>
#include <torch/csrc/jit/runtime/profiling_graph_executor_impl.h>
#include <torch/csrc/jit/tensorexpr/kernel.h>

#include "engines/switches.h"
#include "engines/threads.h"
#include "expect_error.h"

namespace kit {
namespace {

namespace jit = torch::jit;

/// A pointwise chain of exact operations, so that fused and unfused must have the same bits, and a method
/// that only the weight is used in.
jit::Module chain() {
  jit::Module module("m");
  module.register_parameter("weight", at::ones({4}) * 0.5, false);
  module.define(R"(
def forward(self, x):
  return torch.relu(x * self.weight + 1) * 3

def other(self, x):
  return (x - self.weight) * 2
)");
  module.eval();
  return module;
}

const Configuration unfused{.fusion = false,
                            .executor = Executor::profiling,
                            .freeze = false,
                            .static_depth = 2,
                            .dynamic_depth = 10};
const Configuration fused = Configuration{.fusion = true}.over(unfused);
const Configuration simple = Configuration{.executor = Executor::simple}.over(unfused);

std::unique_ptr<Execution> make(const Configuration& configuration, const std::string& method = "forward") {
  return std::make_unique<Execution>(chain(), method, configuration, at::kCPU);
}

at::Tensor run(const Execution& execution, const at::Tensor& x) {
  const at::NoGradGuard no_grad;
  return execution.run({x}).toTensor();
}

/// An input of so many rows, the same for each thread.
at::Tensor input(std::int64_t rows) {
  at::Tensor x = at::ones({rows, 4});
  for (std::int64_t i = 0; i < rows; ++i) x[i] *= static_cast<double>(i % 7) - 3;
  return x;
}

at::Tensor expected(std::int64_t rows) { return (input(rows) * 0.5 + 1).relu() * 3; }

int count(jit::Block* block, jit::Symbol kind) {
  int found = 0;
  for (jit::Node* node : block->nodes()) {
    found += node->kind() == kind ? 1 : 0;
    for (jit::Block* inner : node->blocks()) found += count(inner, kind);
  }
  return found;
}

/// Nodes of that kind in all plans there are.
int count(const Execution& execution, jit::Symbol kind) {
  int found = 0;
  execution.for_each_plan(
      [&](const std::shared_ptr<jit::Graph>& graph, int) { found += count(graph->block(), kind); });
  return found;
}

int groups(const Execution& execution) { return count(execution, jit::prim::TensorExprGroup); }

/// What a process can set for itself.
struct Process {
  bool profiling = jit::getProfilingMode();
  bool executor = jit::getExecutorMode();
  bool fuser = jit::tensorExprFuserEnabled();
  bool cpu = jit::canFuseOnCPU();
  bool gpu = jit::canFuseOnGPU();
  bool llvm = jit::tensorexpr::getTEMustUseLLVMOnCPU();
  bool reductions = jit::texprReductionsEnabled();
  bool inlining = jit::getFusionGroupInlining();
  std::size_t runs = jit::getNumProfiledRuns();
  jit::FusionStrategy strategy = jit::getFusionStrategy();
  bool optimize = jit::getGraphExecutorOptimize();
  int levels = jit::tensorexpr::getTECudaPointwiseLoopLevels();
  int blocks = jit::tensorexpr::getTECudaPointwiseBlockCount();
  int threads = jit::tensorexpr::getTECudaPointwiseBlockSize();

  void set() const {
    jit::getProfilingMode() = profiling;
    jit::getExecutorMode() = executor;
    jit::setTensorExprFuserEnabled(fuser);
    jit::overrideCanFuseOnCPU(cpu);
    jit::overrideCanFuseOnGPU(gpu);
    jit::tensorexpr::getTEMustUseLLVMOnCPU() = llvm;
    jit::setTexprReductionsEnabled(reductions);
    jit::debugSetFusionGroupInlining(inlining);
    jit::getNumProfiledRuns() = runs;
    jit::FusionStrategy copy = strategy;
    jit::setFusionStrategy(copy);
    jit::setGraphExecutorOptimize(optimize);
    jit::tensorexpr::getTECudaPointwiseLoopLevels() = levels;
    jit::tensorexpr::getTECudaPointwiseBlockCount() = blocks;
    jit::tensorexpr::getTECudaPointwiseBlockSize() = threads;
  }

  friend bool operator==(const Process&, const Process&) = default;
};

/// Puts back what a test changes.
struct Restored {
  Process before;
  ~Restored() { before.set(); }
};

TEST(Execution, IsFusedOrNotWhateverTheOtherIs) {
  const Process before;
  const auto one = make(fused);
  const auto other = make(unfused);
  for (int call = 0; call < 4; ++call) {
    for (const std::int64_t rows : {2, 3, 5, 7}) {
      EXPECT_TRUE(at::equal(run(*one, input(rows)), expected(rows))) << rows;
      EXPECT_TRUE(at::equal(run(*other, input(rows)), expected(rows))) << rows;
    }
  }
  EXPECT_EQ(groups(*one), 3);  // one for each of two sizes, and one for varying sizes
  EXPECT_EQ(groups(*other), 0);
  EXPECT_EQ(count(*other, jit::prim::profile), 0);  // its plan no longer watches the calls
  EXPECT_EQ(Process(), before);
}

TEST(Execution, ThreadsWithOtherConfigurationsDoNotDisturbEachOther) {
  const Process before;
  const std::vector<Configuration> configurations{
      fused, unfused, simple, Configuration{.static_depth = 1, .dynamic_depth = 0}.over(fused)};
  std::vector<std::unique_ptr<Execution>> executions;
  std::vector<int> wrong(configurations.size());
  std::vector<std::thread> threads;
  for (const Configuration& configuration : configurations) executions.push_back(make(configuration));
  for (std::size_t i = 0; i < executions.size(); ++i)
    threads.emplace_back([&, i] {
      for (std::int64_t rows = 1; rows < 25; ++rows)  // hardly seen, each compiles where anything does
        for (int call = 0; call < 3; ++call)
          if (!at::equal(run(*executions[i], input(rows)), expected(rows))) ++wrong[i];
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(configurations.size()));
  EXPECT_GE(groups(*executions[0]), 3);
  EXPECT_EQ(groups(*executions[1]), 0);
  EXPECT_EQ(groups(*executions[2]), 0);
  EXPECT_EQ(groups(*executions[3]), 1);
  EXPECT_EQ(Process(), before);
}

TEST(Execution, OneThatIsFusedOnTheCpuServesManyThreads) {
  const auto execution = make(fused);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (std::int64_t call = 0; call < 60; ++call) {
        const std::int64_t rows = 1 + call % 3;
        if (!at::equal(run(*execution, input(rows)), expected(rows))) ++wrong;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Execution, DepthsSayHowOftenKernelsAreCompiled) {
  const auto once = make(Configuration{.static_depth = 1, .dynamic_depth = 0}.over(fused));
  const auto varying = make(Configuration{.static_depth = 0, .dynamic_depth = 1}.over(fused));
  const auto never = make(Configuration{.static_depth = 0, .dynamic_depth = 0}.over(fused));
  for (const std::int64_t rows : {2, 2, 3, 3, 5, 5})
    for (const auto* execution : {&once, &varying, &never})
      EXPECT_TRUE(at::equal(run(**execution, input(rows)), expected(rows)));
  EXPECT_EQ(groups(*once), 1);
  EXPECT_EQ(count(*once, jit::prim::TypeCheck), 1);
  EXPECT_EQ(groups(*varying), 1);
  EXPECT_EQ(count(*varying, jit::Symbol::fromQualString("prim::TensorExprDynamicGuard")), 1);
  EXPECT_EQ(groups(*never), 0);
  EXPECT_NE(never->plan(), nullptr);
}

TEST(Execution, TheSwitchesOfTheProcessDoNotCount) {
  const Restored restored;
  Process mine;
  mine.profiling = false;
  mine.fuser = false;
  mine.gpu = false;
  mine.llvm = true;
  mine.runs = 3;
  mine.strategy = {{jit::FusionBehavior::STATIC, 0}};
  mine.optimize = false;
  mine.inlining = false;
  mine.set();
  const auto execution = make(fused);
  const auto other = make(unfused);
  for (int call = 0; call < 2; ++call) {
    EXPECT_TRUE(at::equal(run(*execution, input(3)), expected(3)));
    run(*other, input(3));
  }
  EXPECT_EQ(groups(*execution), 1);
  EXPECT_NE(other->plan(), nullptr);
  EXPECT_EQ(groups(*other), 0);
  EXPECT_EQ(Process(), mine);
}

TEST(Execution, AfterAFailureTheSwitchesAreBack) {
  const Process before;
  const auto execution = make(fused);
  for (int call = 0; call < 3; ++call) EXPECT_THROW(run(*execution, at::ones({2, 3})), std::exception);
  EXPECT_EQ(Process(), before);
  EXPECT_TRUE(at::equal(run(*execution, input(3)), expected(3)));
  // Nor does it keep others out.
  EXPECT_TRUE(at::equal(run(*make(unfused), input(3)), expected(3)));
}

TEST(Execution, ArgumentsAreChecked) {
  for (const Configuration& configuration : {fused, unfused, simple}) {
    const auto execution = make(configuration);
    const at::NoGradGuard no_grad;
    EXPECT_THROW(execution->run({}), c10::Error);
    EXPECT_THROW(execution->run({input(2), input(2)}), c10::Error);
    EXPECT_THROW(execution->run({c10::IValue("text")}), c10::Error);
    EXPECT_TRUE(at::equal(execution->run({input(2)}).toTensor(), expected(2)));
  }
}

TEST(Execution, CountsWhatIsCompiled) {
  const auto execution = make(fused);
  const std::uint64_t before = Execution::compilations();
  run(*execution, input(2));
  EXPECT_EQ(Execution::compilations() - before, 0u);  // it watches the first call
  EXPECT_EQ(execution->plan(), nullptr);
  EXPECT_EQ(execution->fingerprint(), "");
  run(*execution, input(2));
  EXPECT_EQ(Execution::compilations() - before, 1u);
  const std::string first = execution->fingerprint();
  EXPECT_NE(first, "");
  run(*execution, input(2));
  EXPECT_EQ(execution->fingerprint(), first);
  run(*execution, input(3));
  run(*execution, input(3));
  EXPECT_EQ(Execution::compilations() - before, 2u);
  EXPECT_NE(execution->fingerprint(), first);
  std::thread([&] { EXPECT_EQ(Execution::compilations(), 0u); }).join();
}

TEST(Execution, TheSimpleExecutorHasAPlanAfterItsFirstCall) {
  const auto execution = make(simple);
  EXPECT_EQ(execution->plan(), nullptr);
  const std::uint64_t before = Execution::compilations();
  run(*execution, input(2));
  ASSERT_NE(execution->plan(), nullptr);
  const std::string fingerprint = execution->fingerprint();
  EXPECT_NE(fingerprint, "");
  run(*execution, input(3));
  EXPECT_EQ(execution->fingerprint(), fingerprint);
  EXPECT_EQ(Execution::compilations(), before);
}

TEST(Execution, APlanMayBeRunWhileItIsVisited) {
  const auto execution = make(fused);
  for (int call = 0; call < 2; ++call) run(*execution, input(2));
  int visited = 0;
  execution->for_each_plan([&](const std::shared_ptr<jit::Graph>&, int depth) {
    EXPECT_EQ(depth, visited++);
    run(*execution, input(2));
  });
  EXPECT_EQ(visited, 1);
}

TEST(Execution, FreezingMakesConstantsOfWeights) {
  const auto frozen = make(Configuration{.freeze = true}.over(unfused));
  const auto plain = make(unfused);
  EXPECT_GT(count(plain->graph()->block(), jit::prim::GetAttr), 0);
  EXPECT_EQ(count(frozen->graph()->block(), jit::prim::GetAttr), 0);
  for (int call = 0; call < 3; ++call) {
    EXPECT_TRUE(at::equal(run(*frozen, input(2)), expected(2)));
    EXPECT_TRUE(at::equal(run(*plain, input(2)), expected(2)));
  }
  // Any method, and fused as well.
  for (const Configuration& configuration : {unfused, fused, simple}) {
    const auto other = make(Configuration{.freeze = true}.over(configuration), "other");
    for (int call = 0; call < 3; ++call) EXPECT_TRUE(at::equal(run(*other, input(2)), (input(2) - 0.5) * 2));
    EXPECT_EQ(count(other->graph()->block(), jit::prim::GetAttr), 0);
  }
}

TEST(Execution, AFurtherOneSharesNothingThatIsCompiled) {
  const auto one = make(fused);
  for (int call = 0; call < 3; ++call) run(*one, input(2));
  const auto other = one->with(Configuration{.freeze = true}.over(unfused));
  EXPECT_EQ(other->plan(), nullptr);
  for (int call = 0; call < 3; ++call) EXPECT_TRUE(at::equal(run(*other, input(2)), expected(2)));
  EXPECT_EQ(groups(*one), 1);
  EXPECT_EQ(groups(*other), 0);
}

TEST(Threads, AreThoseOfTheCallAlone) {
  const int before = at::get_num_threads();
  {
    const Threads threads(before + 1);
    EXPECT_EQ(at::get_num_threads(), before + 1);
    // A thread that first uses torch meanwhile has what the process has.
    std::thread([&] { EXPECT_EQ(at::get_num_threads(), before); }).join();
  }
  EXPECT_EQ(at::get_num_threads(), before);
  { const Threads threads(std::nullopt); }
  EXPECT_EQ(at::get_num_threads(), before);
  const auto execution = make(Configuration{.threads = before + 1}.over(unfused));
  run(*execution, input(2));
  EXPECT_THROW(run(*execution, at::ones({2, 3})), std::exception);
  EXPECT_EQ(at::get_num_threads(), before);
}

TEST(Threads, BetweenOperationsAreSetOnce) {
  const int count = static_cast<int>(at::get_num_interop_threads()) + 1;
  set_interop_threads(std::nullopt);
  set_interop_threads(count);
  set_interop_threads(count);
  EXPECT_EQ(at::get_num_interop_threads(), static_cast<std::size_t>(count));
  test::expect_error(ErrorCode::unavailable,
                     {"this process has " + std::to_string(count) + " inter-op threads already",
                      "changed to " + std::to_string(count + 1)},
                     [&] { set_interop_threads(count + 1); });
}

TEST(Switches, KernelsForLargeSizesLoop) {
  const Process before;
  for (const bool large : {false, true}) {
    const Switches::Hold hold({true, 2, 10, large});
    EXPECT_EQ(jit::tensorexpr::getTECudaPointwiseLoopLevels(), large ? 3 : 2);
    EXPECT_EQ(jit::tensorexpr::getTECudaPointwiseBlockSize(), 256);
  }
  EXPECT_EQ(Process{}, before);
}

TEST(Switches, ASizeIsLargeByItsElements) {
  const auto elements = [](std::int64_t count) { return at::empty({count}, at::kChar); };
  EXPECT_FALSE(is_large(std::vector<at::Tensor>{}));
  EXPECT_FALSE(is_large(std::vector{elements(2048 * 2048)}));
  EXPECT_TRUE(is_large(std::vector{elements(3), elements(4096 * 4096)}));
  EXPECT_FALSE(is_large(std::vector<c10::IValue>{c10::IValue(1 << 24), at::Tensor()}));
}

}  // namespace
}  // namespace kit
