#include <gtest/gtest.h>

#include "archive_builder.h"
#include "core/choose.h"
#include "expect_error.h"

namespace kit {
namespace {

using test::ArchiveBuilder;
using test::expect_error;
using Strings = std::vector<std::string>;

/// Of programs like "native x86-64-v3".
Archive with_programs(const Strings& programs, const nlohmann::json& further = nlohmann::json::object()) {
  ArchiveBuilder builder;
  builder.manifest["programs"] = nlohmann::json::array();
  for (const std::string& program : programs) {
    const auto space = program.find(' ');
    const std::string engine = program.substr(0, space);
    nlohmann::json entry{{"engine", engine}, {"target", program.substr(space + 1)}, {"torch", "2.13.0"}};
    if (engine == "native")
      entry["methods"]["forward"] = {{"library", "data/0"}, {"constants", nlohmann::json::array()}};
    if (engine == "aoti") entry["methods"]["forward"] = {{"package", "data/0"}};
    entry.update(further);
    builder.manifest["programs"].push_back(entry);
  }
  return Archive::from_bytes(test::bytes_of(builder.build()), "here.pt");
}

const Host host{Isa::x86_64_v3, "2.13.0", [](int index) { return index == 0 ? "cuda:sm_90" : ""; }};
const Device gpu = Device::parse("cuda");
const Strings all{"torchscript any", "native x86-64-v2", "native x86-64-v4", "native x86-64-v3",
                  "aoti cuda:sm_80", "aoti x86-64-v3",   "aoti cuda:sm_90"};

void expect_taken(const Choice& choice, Engine engine, const std::string& target, const Strings& notes) {
  EXPECT_EQ(choice.engine, engine);
  EXPECT_EQ(choice.program.target, target);
  EXPECT_EQ(choice.program.engine, name(engine));
  EXPECT_EQ(choice.notes, notes);
}

TEST(Choose, TakesTheBestTargetOfTheFastestEngine) {
  expect_taken(choose(with_programs(all), {}, host), Engine::native, "x86-64-v3",
               {"native: made for x86-64-v4, and this host has x86-64-v3"});
  expect_taken(choose(with_programs(all), {}, {Isa::x86_64_v4, "2.13.0"}), Engine::native, "x86-64-v4", {});
  EXPECT_EQ(choose(with_programs(all), {.engine = Engine::aoti}, host).program.methods.count("forward"), 1U);
}

TEST(Choose, TakesWhatTheDeviceNeeds) {
  expect_taken(choose(with_programs(all), {.device = gpu}, host), Engine::aoti, "cuda:sm_90",
               {"native: made for the CPU, x86-64-v4, and the device is cuda:0",
                "native: made for the CPU, x86-64-v3, and the device is cuda:0",
                "native: made for the CPU, x86-64-v2, and the device is cuda:0",
                "aoti: made for the CPU, x86-64-v3, and the device is cuda:0"});
  const Choice second = choose(with_programs({"torchscript any", "aoti cuda:sm_90"}),
                               {.device = Device::parse("cuda:1")}, host);
  expect_taken(second, Engine::torchscript, "any",
               {"native: the archive has no such program",
                "aoti: made for cuda:sm_90, and this host has no CUDA device 1"});
}

TEST(Choose, KnowsEveryDeviceOfTheHost) {
  const Host two{Isa::x86_64_v3, "2.13.0", [](int index) {
                   return index == 0 ? "cuda:sm_80" : index == 1 ? "cuda:sm_90" : "";
                 }};
  const ProgramInfo newer{"aoti", "cuda:sm_90", "2.13.0"};
  EXPECT_EQ(two.obstacle(newer), "");
  EXPECT_EQ(two.obstacle(newer, 1), "");
  EXPECT_EQ(two.obstacle(newer, 0), "made for cuda:sm_90, and the CUDA device 0 is cuda:sm_80");
  EXPECT_EQ(two.obstacle({"aoti", "cuda:sm_70", "2.13.0"}),
            "made for cuda:sm_70, and the CUDA devices here are cuda:sm_80, cuda:sm_90");
  EXPECT_EQ(Host({Isa::x86_64_v3, "2.13.0"}).obstacle(newer),
            "made for cuda:sm_90, and this host has no CUDA device");
}

TEST(Choose, TakesTorchScriptAndSaysWhyNotTheOthers) {
  expect_taken(
      choose(with_programs({"torchscript any", "native x86-64-v4"}), {}, host), Engine::torchscript, "any",
      {"native: made for x86-64-v4, and this host has x86-64-v3", "aoti: the archive has no such program"});
  expect_taken(choose(with_programs({"torchscript any", "native riscv64"}), {}, host), Engine::torchscript,
               "any",
               {"native: made for riscv64, which this version of kit does not know",
                "aoti: the archive has no such program"});
}

TEST(Choose, TakesWhatIsAskedFor) {
  expect_taken(choose(with_programs(all), {.engine = Engine::torchscript}, host), Engine::torchscript, "any",
               {});
  expect_taken(choose(with_programs(all), {.engine = Engine::native, .target = "x86-64-v2"}, host),
               Engine::native, "x86-64-v2", {});
  EXPECT_EQ(choose(with_programs(all), {.target = "any"}, host).engine, Engine::torchscript);
}

TEST(Choose, AProgramOfOtherMethodsIsPassedOver) {
  const Choice choice =
      choose(with_programs({"torchscript any", "native x86-64-v3"}), {.method = "encode"}, host);
  expect_taken(
      choice, Engine::torchscript, "any",
      {"native: the one for x86-64-v3 has no method 'encode'", "aoti: the archive has no such program"});
}

TEST(Choose, AnAotiProgramNeedsItsTorch) {
  const auto notes = [](const std::string& made, const std::string& own) {
    const Archive archive = with_programs({"torchscript any", "aoti x86-64-v3"}, {{"torch", made}});
    return choose(archive, {}, {Isa::x86_64_v3, own}).notes.back();
  };
  EXPECT_EQ(notes("2.12.1", "2.13.0"), "aoti: made with torch 2.12.1, and this kit is for torch 2.13");
  EXPECT_EQ(notes("2.1.0", "2.13.0"), "aoti: made with torch 2.1.0, and this kit is for torch 2.13");
  EXPECT_EQ(notes("2.13.1", "2.13.0"), "native: the archive has no such program");
}

TEST(Choose, SaysWhatIsMissing) {
  expect_error(ErrorCode::unavailable,
               "here.pt: no program can be run here: aoti: the archive has no such program",
               [] { choose(with_programs({"torchscript any"}), {.engine = Engine::aoti}, host); });
  expect_error(
      ErrorCode::unavailable,
      "here.pt: no program can be run here: native: made for x86-64-v4, and this host has x86-64-v3", [] {
        choose(with_programs({"torchscript any", "native x86-64-v4"}), {.engine = Engine::native}, host);
      });
  expect_error(ErrorCode::unavailable, "native: made for x86-64-v2, and this host has no x86-64",
               [] { choose(with_programs({"native x86-64-v2"}), {}, {}); });
  expect_error(ErrorCode::unavailable,
               "aoti: this kit was built without torch; torchscript: this kit was built without torch", [] {
                 choose(with_programs({"torchscript any", "aoti x86-64-v3"}), {}, {Isa::x86_64_v3});
               });
  expect_error(ErrorCode::unavailable, "native: the archive has no such program for x86-64-v3", [] {
    choose(with_programs({"native x86-64-v2"}), {Engine::native, "x86-64-v3"}, host);
  });
  expect_error(ErrorCode::unavailable,
               "aoti: made for cuda:sm_90, and the device is cpu (give the device cuda)",
               [] { choose(with_programs({"aoti cuda:sm_90"}), {}, host); });
  expect_error(ErrorCode::unavailable, "aoti: made for cuda:sm_80, and the CUDA device 0 is cuda:sm_90",
               [] { choose(with_programs({"aoti cuda:sm_80"}), {.device = gpu}, host); });
}

TEST(Choose, AnArchiveFromElsewhereIsTorchScript) {
  const Archive archive =
      Archive::from_bytes(test::bytes_of(ArchiveBuilder::zip({{"m/constants.pkl", "x"}})), "here.pt");
  EXPECT_EQ(choose(archive, {.method = "encode"}, host).engine, Engine::torchscript);
}

TEST(Choose, EngineNamesComeBack) {
  for (const Engine engine : {Engine::automatic, Engine::torchscript, Engine::aoti, Engine::native})
    EXPECT_EQ(engine_from_name(name(engine)), engine);
  expect_error(ErrorCode::usage, "'onnx' is no engine", [] { engine_from_name("onnx"); });
}

}  // namespace
}  // namespace kit
