#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <kit/kit.h>
#include <kit/programs.h>
#include <kit/version.h>

#include "environment.h"
#include "native_archive.h"
#include "temp_dir.h"

namespace kit {
namespace {

using test::Environment;
using test::NativeArchive;
using testing::HasSubstr;

Archive open(const NativeArchive& builder) {
  return Archive::from_bytes(test::bytes_of(builder.build()), "here.pt");
}

NativeArchive unverified() {
  NativeArchive builder;
  builder.program()["verified"] = false;
  return builder;
}

/// A state folder of the test's own.
class Verified : public testing::Test {
 protected:
  TempDir dir;
  const Environment home{"XDG_STATE_HOME", dir.str()};
};

TEST(Programs, AreShownWithoutBeingLoaded) {
  const Environment small("KIT_ISA", "x86-64-v2");
  const test::NativeProgram program;
  const auto all = programs(open(NativeArchive({"x86-64-v3", "x86-64-v2"})));
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].program.engine, "torchscript");
  EXPECT_EQ(all[0].obstacle, std::string(torch_version).empty() ? "this kit was built without torch" : "");
  EXPECT_EQ(all[0].size, std::string("not a pickle").size() + 8);
  EXPECT_EQ(all[1].program.target, "x86-64-v3");
  EXPECT_EQ(all[1].obstacle, "made for x86-64-v3, and this host has x86-64-v2");
  EXPECT_EQ(all[2].obstacle, "");
  EXPECT_TRUE(all[2].verified);
  EXPECT_EQ(all[2].size, program.bytes.size());
  EXPECT_EQ(all[2].constants, 8U);
}

TEST(Programs, AnArchiveFromElsewhereHasOne) {
  const auto bytes = test::bytes_of(test::ArchiveBuilder::zip({{"m/constants.pkl", "x"}}));
  const auto all = programs(Archive::from_bytes(bytes, "here.pt"));
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].program.engine, "torchscript");
  EXPECT_EQ(all[0].size, bytes.size());
}

TEST_F(Verified, IsNotedOnThisHost) {
  const Archive archive = open(unverified());
  const ProgramInfo& program = archive.manifest()->programs[1];
  EXPECT_FALSE(is_verified(archive, program, "forward"));
  EXPECT_FALSE(programs(archive)[1].verified);
  ASSERT_EQ(Model::load(archive).warnings().size(), 1U);
  EXPECT_EQ(
      Model::load(archive).warnings()[0],
      "here.pt: the native program for x86-64-v2 is unverified: the host that exported it could not run "
      "it; run predictor verify here");
  EXPECT_EQ(record_verified(archive, program, "forward"), std::nullopt);
  EXPECT_EQ(record_verified(archive, program, "forward"), std::nullopt) << "a second time";
  EXPECT_TRUE(is_verified(archive, program, "forward"));
  EXPECT_TRUE(programs(archive)[1].verified);
  EXPECT_TRUE(Model::load(archive).warnings().empty());
  EXPECT_EQ(dir.names(), std::vector<std::string>{"kit"});
}

TEST_F(Verified, CountsForNoOtherProgramWeightsOrCases) {
  const Archive archive = open(unverified());
  ASSERT_EQ(record_verified(archive, archive.manifest()->programs[1], "forward"), std::nullopt);
  const auto counts = [](const NativeArchive& builder) {
    const Archive other = open(builder);
    return is_verified(other, other.manifest()->programs[1], "forward");
  };
  NativeArchive same = unverified();
  same.manifest["name"] = "renamed";
  EXPECT_TRUE(counts(same));
  for (const std::size_t member : {1U, 2U, 3U}) {
    NativeArchive changed = unverified();
    changed.members[member].second.back() = '!';
    EXPECT_FALSE(counts(changed)) << changed.members[member].first;
  }
}

TEST(VerifiedNowhere, SaysWhyItCannotBeNoted) {
  const Archive archive = open(unverified());
  const ProgramInfo& program = archive.manifest()->programs[1];
  const TempDir dir;
  {
    const Environment state("XDG_STATE_HOME", "not/absolute");
    const Environment home("HOME", std::nullopt);
    EXPECT_EQ(record_verified(archive, program, "forward").value_or(""),
              "there is no home directory; set HOME or XDG_STATE_HOME");
    EXPECT_FALSE(is_verified(archive, program, "forward"));
  }
  const Environment file("XDG_STATE_HOME", dir.write("file", ""));
  EXPECT_THAT(record_verified(archive, program, "forward").value_or(""), HasSubstr("cannot be made: "));
  EXPECT_FALSE(is_verified(archive, program, "forward"));
  const Environment none("XDG_STATE_HOME", std::nullopt);
  const Environment home("HOME", dir.str());
  EXPECT_EQ(record_verified(archive, program, "forward"), std::nullopt);
  EXPECT_TRUE(std::filesystem::is_directory(dir.path(".local/state/kit/verified")));
}

}  // namespace
}  // namespace kit
