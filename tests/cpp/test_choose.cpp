#include <gtest/gtest.h>

#include "archive_builder.h"
#include "core/choose.h"
#include "expect_error.h"

namespace kit {
namespace {

using test::ArchiveBuilder;
using test::expect_error;

Archive with_engines(const std::vector<std::string>& engines) {
  ArchiveBuilder builder;
  builder.manifest["programs"] = nlohmann::json::array();
  for (const std::string& engine : engines)
    builder.manifest["programs"].push_back({{"engine", engine}, {"target", "any"}, {"torch", "2.13.0"}});
  return Archive::from_bytes(test::bytes_of(builder.build()), "here.pt");
}

TEST(Choose, TakesTorchScriptAndSaysWhyNotTheOthers) {
  const Choice choice = choose(with_engines({"torchscript", "native"}), Engine::automatic);
  EXPECT_EQ(choice.engine, Engine::torchscript);
  EXPECT_EQ(choice.notes, (std::vector<std::string>{"native: this version of kit cannot run such programs",
                                                    "aoti: the archive has no such program"}));
}

TEST(Choose, TakesWhatIsAskedFor) {
  const Choice choice = choose(with_engines({"torchscript"}), Engine::torchscript);
  EXPECT_EQ(choice.engine, Engine::torchscript);
  EXPECT_TRUE(choice.notes.empty());
}

TEST(Choose, SaysWhatIsMissing) {
  expect_error(ErrorCode::unavailable,
               "here.pt: no program can be run here: aoti: the archive has no such program",
               [] { choose(with_engines({"torchscript"}), Engine::aoti); });
  expect_error(ErrorCode::unavailable, "native: this version of kit cannot run such programs",
               [] { choose(with_engines({"native"}), Engine::automatic); });
}

TEST(Choose, EngineNamesComeBack) {
  for (const Engine engine : {Engine::automatic, Engine::torchscript, Engine::aoti, Engine::native})
    EXPECT_EQ(engine_from_name(name(engine)), engine);
  expect_error(ErrorCode::usage, "'onnx' is no engine", [] { engine_from_name("onnx"); });
}

}  // namespace
}  // namespace kit
