#include <cstring>
#include <fstream>
#include <numeric>
#include <thread>

#include <gtest/gtest.h>

#include <kit/kit.h>
#include <kit/program.h>

#include "environment.h"
#include "expect_error.h"
#include "native_archive.h"
#include "temp_dir.h"

namespace kit {
namespace {

using test::Environment;
using test::expect_error;
using test::NativeArchive;
using test::NativeProgram;

Archive open(const NativeArchive& builder) {
  return Archive::from_bytes(test::bytes_of(builder.build()), "here.pt");
}

Tensor pairs(const std::vector<float>& values) {
  return Tensor::of<float>(values, {static_cast<std::int64_t>(values.size() / 2), 2});
}

std::vector<float> predict(const Model& model, const Tensor& x) {
  const Tensor y = model.predict({x}).at(0);
  return {y.data_as<float>(), y.data_as<float>() + y.numel()};
}

/// How many times a native program is mapped in this process.
int mapped() {
  std::ifstream maps("/proc/self/maps");
  int count = 0;
  for (std::string line; std::getline(maps, line);)
    if (line.find("memfd:kit-program") != std::string::npos && line.find(" r-x") != std::string::npos)
      ++count;
  return count;
}

void expect_refused(ErrorCode code, const test::Parts& parts, const NativeArchive& builder) {
  const Archive archive = open(builder);
  const int before = mapped();
  expect_error(code, parts, [&] { Model::load(archive, {.engine = Engine::native}); });
  EXPECT_EQ(mapped(), before);
}

TEST(Native, IsTakenAndRuns) {
  const Model model = Model::load(open(NativeArchive()));
  EXPECT_EQ(model.engine(), Engine::native);
  EXPECT_EQ(model.target(), "x86-64-v2");
  EXPECT_TRUE(model.notes().empty());
  EXPECT_TRUE(model.warnings().empty());
  EXPECT_EQ(model.configuration().str(), "");
  model.seed(7);
  const auto outputs = model.predict({pairs({1, 2, 3, 4, 5, 6})});
  ASSERT_EQ(outputs.size(), 1U);
  EXPECT_EQ(outputs[0].str(), "float32[3, 2]");
  EXPECT_EQ(predict(model, pairs({1, -4})), (std::vector<float>{2, -8}));
}

TEST(Native, ReproducesItsGoldenCases) {
  const Archive archive = open(NativeArchive());
  const Report report = verify(Model::load(archive), archive);
  EXPECT_EQ(report.engine, Engine::native);
  EXPECT_TRUE(report.bit_equal());
}

TEST(Native, ReadsInputsThatHaveGaps) {
  const Model model = Model::load(open(NativeArchive()));
  std::vector<float> columns{1, 2, 3, 10, 20, 30};
  const Tensor turned(columns.data(), DType::float32, {3, 2}, {1, 3});
  EXPECT_EQ(predict(model, turned), (std::vector<float>{2, 20, 4, 40, 6, 60}));
}

TEST(Native, ShapesThatItWasNotCompiledForNeverReachIt) {
  const Model model = Model::load(open(NativeArchive()));
  expect_error(ErrorCode::input, "dimension 0 is 5", [&] {
    model.predict({Tensor::empty(DType::float32, {5, 2})});
  });
  expect_error(ErrorCode::input, "wanted float32", [&] {
    model.predict({Tensor::empty(DType::float64, {2, 2})});
  });
  float number = 0;
  const Tensor elsewhere(&number, DType::float32, {1, 2}, {}, Device::parse("cuda"));
  expect_error(ErrorCode::input, "input 'x' is on cuda:0", [&] { model.predict({elsewhere}); });
}

TEST(Native, ComputesInMemoryThatIsThere) {
  const Model model = Model::load(open(NativeArchive()));
  const Tensor y = Tensor::empty(DType::float32, {2, 2});
  model.predict({pairs({1, 2, 3, 4})}, {y});
  EXPECT_EQ(std::vector<float>(y.data_as<float>(), y.data_as<float>() + 4), (std::vector<float>{2, 4, 6, 8}));
}

TEST(Native, SaysWhatDoesNotFitMemoryThatIsThere) {
  const Archive archive = open(NativeArchive());
  float numbers[4] = {};
  const Tensor x = pairs({1, 2, 3, 4}), y = Tensor::empty(DType::float32, {2, 2});
  const Tensor elsewhere(numbers, DType::float32, {2, 2}, {}, Device::parse("cuda"));
  const Tensor gaps(numbers, DType::float32, {2, 2}, {1, 2});
  for (const int threads : {1, 2}) {
    const Model model = Model::load(archive, {.configuration = {.threads = threads}});
    const auto refuses = [&](const std::string& why, const std::vector<Tensor>& inputs,
                             const std::vector<Tensor>& outputs) {
      expect_error(ErrorCode::input, why, [&] { model.predict(inputs, outputs); });
    };
    refuses("wanted 1 inputs (x), got 0", {}, {y});
    refuses("wanted 1 outputs, got 2", {x}, {y, y});
    refuses("input 'x': wanted float32[batch, 2], got an undefined tensor", {Tensor()}, {y});
    refuses("input 'x': wanted float32[batch, 2], got float64[2, 2]", {Tensor::empty(DType::float64, {2, 2})},
            {y});
    refuses("dimension 1 must be 2", {Tensor::empty(DType::float32, {2, 3})}, {y});
    refuses("the number of dimensions differs", {Tensor::empty(DType::float32, {})}, {y});
    refuses("input 'x' is on cuda:0, and a native program runs on the CPU", {elsewhere}, {y});
    refuses("output 'y': wanted memory on the CPU, row-major without gaps, got an undefined tensor", {x},
            {Tensor()});
    refuses("got float32[2, 2] on cuda:0", {x}, {elsewhere});
    refuses("got float32[2, 2] with gaps", {x}, {gaps});
    refuses("output 'y': wanted float32[2, 2] for these inputs, got float32[3, 2]", {x},
            {Tensor::empty(DType::float32, {3, 2})});
    refuses("output 'y': wanted float32[2, 2] for these inputs, got int32[2, 2]", {x},
            {Tensor::empty(DType::int32, {2, 2})});
  }
}

TEST(Native, PredictsFromManyThreads) {
  const Model model = Model::load(open(NativeArchive()));
  std::vector<int> wrong(8, 0);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < wrong.size(); ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        const auto number = static_cast<float>(t * 1000 + static_cast<std::size_t>(i));
        if (predict(model, pairs({number, 1})) != std::vector<float>{2 * number, 2}) ++wrong[t];
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(8, 0));
}

/// The loader takes two libraries of one path for the same.
TEST(Native, SeveralProgramsLiveSideBySide) {
  std::vector<Model> models;
  for (int i = 0; i < 5; ++i)
    models.push_back(
        Model::load(open(NativeArchive({"x86-64-v2"}, NativeProgram().set_bias(static_cast<float>(i))))));
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(predict(models[static_cast<std::size_t>(i)], pairs({1, 2})),
              (std::vector<float>{2.0F + static_cast<float>(i), 4.0F + static_cast<float>(i)}));
}

/// Or a process that loads a model again and again would grow.
TEST(Native, AProgramIsLoadedOnce) {
  const NativeArchive builder({"x86-64-v2"}, NativeProgram().set_bias(99));
  const int before = mapped();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(predict(Model::load(open(builder)), pairs({1, 2})), (std::vector<float>{101, 103}));
    EXPECT_EQ(mapped(), before + 1);
  }
}

TEST(Native, ManyThreadsLoadAtOnce) {
  const Archive archive = open(NativeArchive());
  std::vector<int> right(4, 0);
  std::vector<std::thread> threads;
  for (int& count : right)
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) count += predict(Model::load(archive), pairs({1, 2}))[1] == 4 ? 1 : 0;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, std::vector<int>(4, 20));
}

TEST(Native, KeepsItsArchiveAlive) {
  std::optional<Model> model;
  {
    const TempDir dir;
    model = Model::load(dir.write("model.pt", NativeArchive().build()));
  }
  EXPECT_EQ(predict(*model, pairs({1, 2})), (std::vector<float>{2, 4}));
}

TEST(Native, ConstantsAreReadWhereTheyAreInTheFile) {
  const TempDir dir;
  const Archive archive = Archive::open(dir.write("model.pt", NativeArchive().build()));
  const auto outputs = Model::load(archive).predict({pairs({-3, 0})});
  const void* address = nullptr;
  std::memcpy(&address, outputs[0].data(), sizeof address);
  EXPECT_EQ(address, archive.member("data/0").data());
}

TEST(Native, TakesTheBestTargetOfTheHost) {
  const Archive archive = open(NativeArchive({"x86-64-v2", "x86-64-v3", "x86-64-v4"}));
  const Environment small("KIT_ISA", "x86-64-v2");
  const Model model = Model::load(archive);
  EXPECT_EQ(model.target(), "x86-64-v2");
  EXPECT_EQ(model.notes(),
            (std::vector<std::string>{"native: made for x86-64-v4, and this host has x86-64-v2",
                                      "native: made for x86-64-v3, and this host has x86-64-v2"}));
  EXPECT_EQ(predict(model, pairs({1, 2})), (std::vector<float>{2, 4}));
  expect_error(ErrorCode::unavailable, "native: made for x86-64-v3, and this host has x86-64-v2",
               [&] { Model::load(archive, {.engine = Engine::native, .target = "x86-64-v3"}); });
}

TEST(Native, ATargetBeyondTheHostIsNotLoaded) {
  const Environment small("KIT_ISA", "x86-64-v2");
  expect_refused(
      ErrorCode::unavailable,
      "here.pt: no program can be run here: native: made for x86-64-v3, and this host has x86-64-v2",
      NativeArchive({"x86-64-v3"}));
}

TEST(Native, AnotherDeviceIsNotHere) {
  const Archive archive = open(NativeArchive());
  expect_error(ErrorCode::unavailable, "native: made for the CPU, x86-64-v2, and the device is cuda:0",
               [&] { Model::load(archive, {.engine = Engine::native, .device = "cuda"}); });
}

TEST(Native, RefusesWhatIsNoProgram) {
  NativeProgram none;
  none.bytes = "not a program";
  expect_refused(ErrorCode::archive, {"'extra/kit/programs/native-x86-64-v2/forward.so' is no shared object"},
                 NativeArchive({"x86-64-v2"}, none));
  NativeProgram other;
  other.bytes[18] = static_cast<char>(other.bytes[18] + 1);  // the machine
  expect_refused(ErrorCode::archive, "is for another kind of machine", NativeArchive({"x86-64-v2"}, other));
  NativeProgram cut;
  cut.bytes.resize(100);
  expect_refused(ErrorCode::unavailable, {"forward.so' ", "cannot be loaded here: cannot read file data"},
                 NativeArchive({"x86-64-v2"}, cut));
}

TEST(Native, RefusesAnotherInterface) {
  expect_refused(ErrorCode::unavailable,
                 "has version 2 of the interface of native programs, and this kit runs 1",
                 NativeArchive({"x86-64-v2"}, NativeProgram().set_abi(2)));
  for (const char* name : {"kit_program_abi", "kit_program_create", "kit_program_run", "kit_program_destroy",
                           "kit_program_description", "kit_program_last_error"}) {
    std::string another = name;
    another.back() = '_';
    expect_refused(ErrorCode::archive, std::string("has no function ") + name,
                   NativeArchive({"x86-64-v2"}, NativeProgram().replace(name, another)));
  }
}

TEST(Native, RefusesAnotherProgramThanTheManifestSays) {
  const auto with = [](const std::string& text, const std::string& by) {
    return NativeArchive({"x86-64-v2"}, NativeProgram().replace(text, by));
  };
  expect_refused(ErrorCode::archive, "is the method 'forwarD', and the manifest says 'forward'",
                 with("\"forward\"", "\"forwarD\""));
  expect_refused(ErrorCode::archive, "is for x86-64-v9, and the manifest says x86-64-v2",
                 with("\"x86-64-v2\"", "\"x86-64-v9\""));
  expect_refused(ErrorCode::archive, "is of other constants than the manifest says",
                 with("\"constants\": [8]", "\"constants\": [9]"));
  expect_refused(ErrorCode::archive, "describes itself wrongly: it has no 'method'",
                 with("\"method\"", "\"meTHod\""));
  expect_refused(ErrorCode::archive, "describes itself wrongly: it is no valid JSON",
                 with("{\"model\"", "{_model\""));
}

TEST(Native, RefusesOtherConstantsThanItsOwn) {
  NativeArchive none;
  none.program()["methods"]["forward"]["constants"] = nlohmann::json::array();
  expect_refused(ErrorCode::archive, "is of other constants", none);
  NativeArchive other({"x86-64-v2"}, NativeProgram().replace("\"constants\": [8]", "\"constants\": [4]"));
  other.program()["methods"]["forward"]["constants"][0]["size"] = 4;
  expect_refused(ErrorCode::unavailable, "forward.so': the constants are not as they should be", other);
}

TEST(Native, RefusesOutputsThatNoInputGivesASizeFor) {
  NativeArchive builder;
  builder.manifest["signature"]["dims"]["n"] = {{"min", 1}, {"max", 4}};
  builder.manifest["signature"]["outputs"][0]["shape"] = {"batch", "n"};
  expect_refused(ErrorCode::archive, "output 'y' has the dim 'n', which no input has", builder);
}

TEST(Native, WhatFailsInTheProgramIsSaid) {
  const Model model = Model::load(open(NativeArchive()));
  expect_error(ErrorCode::internal, "forward.so' failed: a fault", [&] { model.predict({pairs({-1, 0})}); });
  expect_error(ErrorCode::unavailable, "there is not enough memory", [&] {
    model.predict({pairs({-2, 0})});
  });

  NativeArchive wide;
  wide.manifest["signature"]["outputs"][0]["shape"] = {"batch", 3};
  const Model wrong = Model::load(open(wide));
  expect_error(ErrorCode::input, "the model cannot compute these inputs: output 'y' does not fit", [&] {
    wrong.predict({pairs({1, 2})});
  });
}

/// One whose calls may be divided from 8 rows on, in parts of a single row.
NativeArchive divisible(const std::string& rows_per_thread = "4") {
  const auto program =
      NativeProgram().replace("\"torch\": \"2.13.0\", \"constants\": [8]",
                              "\"rows_per_thread\":" + rows_per_thread + ",\"constants\":[8]");
  NativeArchive builder({"x86-64-v2"}, program);
  builder.manifest["signature"]["dims"]["batch"]["max"] = 4096;
  return builder;
}

TEST(Native, DividesRowsAmongThreads) {
  const Archive archive = open(divisible());
  const Model one = Model::load(archive);
  const Model two = Model::load(archive, {.configuration = {.threads = 2}});
  EXPECT_TRUE(two.warnings().empty());
  std::vector<float> values(2 * 1000);
  std::iota(values.begin(), values.end(), 1.0F);
  for (const std::size_t rows : {1, 7, 8, 9, 1000}) {
    const Tensor x = pairs({values.begin(), values.begin() + static_cast<std::ptrdiff_t>(2 * rows)});
    EXPECT_EQ(predict(two, x), predict(one, x)) << rows;
    const auto height = static_cast<std::int64_t>(rows);
    const Tensor turned(values.data(), DType::float32, {height, 2}, {1, height});
    EXPECT_EQ(predict(two, turned), predict(one, turned)) << rows;
  }
}

TEST(Native, ComputesIntoMemoryThatIsThere) {
  const Model model = Model::load(open(NativeArchive()));
  std::vector<float> memory{7, 7, 7, 7, 7};
  const Tensor y(memory.data(), DType::float32, {2, 2});
  for (int i = 0; i < 2; ++i) {
    model.predict({pairs({1, 2, 3, static_cast<float>(i)})}, {y});
    EXPECT_EQ(memory, (std::vector<float>{2, 4, 6, 2.0F * static_cast<float>(i), 7}));
  }
}

TEST(Native, RefusesMemoryThatDoesNotFit) {
  const Model one = Model::load(open(divisible()));
  const Model two = Model::load(open(divisible()), {.configuration = {.threads = 2}});
  const Tensor x = pairs(std::vector<float>(2 * 8, 1.0F));
  const auto refused = [&](const std::string& why, const std::vector<Tensor>& outputs) {
    for (const Model* model : {&one, &two})
      expect_error(ErrorCode::input, why, [&] { model->predict({x}, outputs); });
  };
  refused("wanted 1 outputs, got 0", {});
  refused("wanted 1 outputs, got 2",
          {Tensor::empty(DType::float32, {8, 2}), Tensor::empty(DType::float32, {8, 2})});
  refused("output 'y': wanted float32[8, 2] for these inputs, got float32[7, 2]",
          {Tensor::empty(DType::float32, {7, 2})});
  refused("wanted float32[8, 2] for these inputs, got float64[8, 2]",
          {Tensor::empty(DType::float64, {8, 2})});
  refused("wanted float32[8, 2] for these inputs, got float32[16]", {Tensor::empty(DType::float32, {16})});
  refused("output 'y': wanted memory on the CPU, row-major without gaps, got an undefined tensor",
          {Tensor()});
  std::vector<float> memory(16);
  refused("got float32[8, 2] with gaps", {Tensor(memory.data(), DType::float32, {8, 2}, {1, 8})});
  const Device cuda{Device::Kind::cuda, 0};
  refused("got float32[8, 2] on cuda:0", {Tensor(memory.data(), DType::float32, {8, 2}, {}, cuda)});
  expect_error(ErrorCode::input, "input 'x'", [&] {
    one.predict({Tensor::empty(DType::float32, {8, 3})}, {Tensor::empty(DType::float32, {8, 2})});
  });
}

TEST(Native, EachPartIsACall) {
  const Archive archive = open(divisible());
  std::vector<float> values(2 * 8, 1.0F);
  values[2 * 5] = -1;  // which fails in the first row of a call
  const Tensor x = pairs(values);
  EXPECT_NO_THROW(Model::load(archive).predict({x}));
  const Model two = Model::load(archive, {.configuration = {.threads = 2}});
  expect_error(ErrorCode::internal, "forward.so' failed: a fault", [&] { two.predict({x}); });
  EXPECT_NO_THROW(two.predict({pairs({values.begin(), values.begin() + 14})}));
}

TEST(Native, SaysThatItsCallsCannotBeDivided) {
  const Model model = Model::load(open(NativeArchive()), {.configuration = {.threads = 2}});
  ASSERT_EQ(model.warnings().size(), 1U);
  EXPECT_NE(model.warnings()[0].find("runs in one thread and not in 2: its calls cannot be divided"),
            std::string::npos)
      << model.warnings()[0];
}

TEST(Native, RefusesToBeDividedWithoutABatch) {
  NativeArchive builder = divisible();
  builder.manifest["signature"]["outputs"][0]["shape"] = {3, 2};
  expect_refused(ErrorCode::archive, "the manifest names no dim to divide along", builder);
  expect_refused(ErrorCode::archive, "'rows_per_thread' is 0", divisible("0"));
}

TEST(Native, HasNoGraph) {
  const Model model = Model::load(open(NativeArchive()));
  expect_error(ErrorCode::unavailable, "only TorchScript programs have graphs",
               [&] { model.graph(Stage::traced); });
}

}  // namespace
}  // namespace kit
