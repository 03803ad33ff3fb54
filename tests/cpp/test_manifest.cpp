#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include <kit/manifest.h>

#include "archive_builder.h"
#include "expect_error.h"

namespace kit {
namespace {

using test::expect_error;

std::vector<std::filesystem::path> examples(const char* kind) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(KIT_TEST_DATA) / "manifests" / kind))
    paths.push_back(entry.path());
  return paths;
}

std::string read(const std::filesystem::path& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(Manifest, ReadsWhatItSays) {
  const std::string json = test::ArchiveBuilder().manifest_json();
  const Manifest manifest = Manifest::parse(json, "here");
  EXPECT_EQ(manifest.format, 1);
  EXPECT_EQ(manifest.name, "double");
  EXPECT_EQ(manifest.methods.size(), 1U);
  EXPECT_EQ(manifest.programs.at(0).engine, "torchscript");
  EXPECT_EQ(manifest.members.size(), 3U);
  EXPECT_EQ(manifest.json, json);
}

TEST(Manifest, AcceptsEveryGoodExample) {
  ASSERT_GE(examples("good").size(), 4U);
  for (const auto& path : examples("good")) EXPECT_NO_THROW(Manifest::parse(read(path), path)) << path;
}

TEST(Manifest, RefusesEveryBadExample) {
  ASSERT_GE(examples("bad").size(), 12U);
  for (const auto& path : examples("bad")) {
    SCOPED_TRACE(path);
    expect_error(ErrorCode::archive, path.string(), [&] { Manifest::parse(read(path), path); });
  }
}

TEST(Manifest, CompiledProgramsSayWhatHoldsThem) {
  const auto path = std::filesystem::path(KIT_TEST_DATA) / "manifests/good/compiled_programs.json";
  const Manifest manifest = Manifest::parse(read(path), path);
  ASSERT_EQ(manifest.programs.size(), 4U);
  EXPECT_TRUE(manifest.programs[0].methods.empty());
  const ProgramInfo& native = manifest.programs[1];
  EXPECT_EQ(native.target, "x86-64-v3");
  EXPECT_TRUE(native.verified);
  const ProgramMethod& forward = native.methods.at("forward");
  EXPECT_EQ(forward.member, "extra/kit/programs/native-x86-64-v3/forward.so");
  ASSERT_EQ(forward.constants.size(), 2U);
  EXPECT_EQ(forward.constants[1].member, "extra/kit/programs/constants.bin");
  EXPECT_EQ(forward.constants[1].offset, 64U);
  EXPECT_EQ(forward.constants[1].size, 36U);
  EXPECT_EQ(manifest.programs[2].methods.at("forward").member,
            "extra/kit/programs/aoti-cuda-sm_90/forward.pt2");
  const std::vector<ConstantInfo>& parts = manifest.programs[2].methods.at("forward").constants;
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[0].at, 640U);
  EXPECT_EQ(parts[1].at, 7096U);
  EXPECT_FALSE(manifest.programs[2].verified);
}

TEST(Manifest, SaysWhetherRowsDependOnOneAnother) {
  const auto rows_depend = [](const std::string& name) {
    const auto path = std::filesystem::path(KIT_TEST_DATA) / "manifests/good" / (name + ".json");
    return Manifest::parse(read(path), path).methods.front().rows_depend;
  };
  EXPECT_TRUE(rows_depend("rows_depend"));
  EXPECT_FALSE(rows_depend("minimal"));
}

TEST(Manifest, SaysWhatIsWrongWithAProgram) {
  const std::pair<const char*, const char*> wrong[] = {
      {"program_twice", "the program native for x86-64-v3 is listed twice"},
      {"program_constant_not_aligned", "starts at 32, no multiple of 64"},
      {"program_constant_beyond_its_member", "ends beyond 'extra/kit/programs/constants.bin'"},
      {"program_constant_overflows", "ends beyond 'extra/kit/programs/constants.bin'"},
      {"program_part_within_another", "belongs at 735, within the one before it"},
      {"program_part_beyond_the_package", "belongs at 7097, beyond the end of the package"},
      {"program_part_without_a_place", "has no 'at'"},
      {"program_part_beyond_its_member", "ends beyond 'data/0'"},
      {"program_method_not_declared",
       "the method 'encode' of the native program for x86-64-v3 is none of the model's"},
      {"program_library_is_the_manifest", "is in 'extra/kit/manifest.json', which is not among the members"}};
  for (const auto& [name, message] : wrong) {
    const auto path = std::filesystem::path(KIT_TEST_DATA) / "manifests/bad" / (std::string(name) + ".json");
    expect_error(ErrorCode::archive, message, [&] { Manifest::parse(read(path), path); });
  }
}

TEST(Manifest, ANewerFormatIsNamedBeforeAnythingElseIsRead) {
  expect_error(ErrorCode::archive, "archive format 999 is newer than the 1 that this kit reads; update kit",
               [] { Manifest::parse(R"({"format": 999, "signature": "of another kind"})", "here"); });
}

TEST(Manifest, RefusesTextThatIsNoJson) {
  for (const char* text : {"", "{", "\xff", "{\"format\": 1,}", "nonsense"})
    expect_error(ErrorCode::archive, "here: bad manifest: it is no valid JSON",
                 [&] { Manifest::parse(text, "here"); });
}

}  // namespace
}  // namespace kit
