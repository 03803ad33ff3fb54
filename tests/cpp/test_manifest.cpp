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
