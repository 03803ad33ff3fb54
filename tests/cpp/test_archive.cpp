#include <fstream>

#include <gtest/gtest.h>

#include <kit/archive.h>

#include "archive_builder.h"
#include "expect_error.h"

namespace kit {
namespace {

using test::ArchiveBuilder;
using test::bytes_of;
using test::expect_error;

Archive open(const std::string& bytes) { return Archive::from_bytes(bytes_of(bytes), "here.pt"); }

void expect_refused(const std::string& text, const std::string& bytes) {
  expect_error(ErrorCode::archive, text, [&] { open(bytes); });
  expect_error(ErrorCode::archive, "here.pt: ", [&] { open(bytes); });
}

TEST(Archive, OpensWhatIsSound) {
  const Archive archive = open(ArchiveBuilder().build());
  ASSERT_NE(archive.manifest(), nullptr);
  EXPECT_EQ(archive.manifest()->name, "double");
  EXPECT_EQ(archive.member_names().size(), 4U);
  EXPECT_EQ(archive.member("data/0").size(), 7U);
  expect_error(ErrorCode::archive, "no member 'data/1'", [&] { archive.member("data/1"); });
}

TEST(Archive, CasesOutliveIt) {
  std::vector<Case> cases;
  { cases = open(ArchiveBuilder().build()).cases(); }
  ASSERT_EQ(cases.size(), 1U);
  EXPECT_EQ(cases[0].inputs[0].str(), "float32[2, 2]");
  EXPECT_EQ(cases[0].outputs[0].data_as<float>()[3], 8);
}

TEST(Archive, CasesThatAreMissingAreNamed) {
  ArchiveBuilder builder;
  builder.manifest["cases"]["count"] = 2;
  const Archive archive = open(builder.build());
  expect_error(ErrorCode::archive, "the golden cases lack '1.inputs.x'", [&] { archive.cases(); });
  builder.manifest["cases"]["count"] = 0;
  expect_error(ErrorCode::archive, "no golden cases", [&] { open(builder.build()).cases(); });
}

TEST(Archive, RefusesWhatIsNone) {
  expect_refused("not an archive", "");
  expect_refused("not an archive", "PK\3\4");
  expect_refused("not an archive", std::string(1000, 'x'));
  expect_refused("not an archive", std::string("PK\5\6") + std::string(18, '\0'));
}

TEST(Archive, FilesThatCannotBeReadAreNamed) {
  expect_error(ErrorCode::archive, "/no/such/file.pt: cannot be opened: No such file",
               [] { Archive::open("/no/such/file.pt"); });
  expect_error(ErrorCode::archive, "is a directory", [] { Archive::open("/"); });
  expect_error(ErrorCode::archive, "not a regular file", [] { Archive::open("/dev/null"); });
}

TEST(Archive, RefusesAMemberMoreOrLess) {
  ArchiveBuilder builder;
  const std::string manifest = builder.manifest_json();
  const auto zip_with = [&](auto change) {
    auto members = builder.members;
    change(members);
    members.emplace_back("extra/kit/manifest.json", manifest);
    for (auto& member : members) member.first = "model/" + member.first;
    return ArchiveBuilder::zip(members);
  };
  EXPECT_NO_THROW(open(zip_with([](auto&) {})));
  expect_refused("the member 'data/1' is not in the manifest",
                 zip_with([](auto& members) { members.emplace_back("data/1", "more"); }));
  expect_refused("the member 'data/0' is missing",
                 zip_with([](auto& members) { members.erase(members.begin() + 1); }));
  expect_refused("the member 'data/0' is not what the manifest says",
                 zip_with([](auto& members) { members[1].second = "Weights"; }));
  expect_refused("the member 'data/0' is not what the manifest says",
                 zip_with([](auto& members) { members[1].second += "!"; }));
  expect_refused("the member 'model/data/0' is there twice",
                 zip_with([](auto& members) { members.emplace_back("data/0", "weights"); }));
}

TEST(Archive, RefusesKitMembersWithoutManifest) {
  const ArchiveBuilder builder;
  auto members = builder.members;
  for (auto& member : members) member.first = "model/" + member.first;
  expect_refused("its manifest is missing", ArchiveBuilder::zip(members));
}

TEST(Archive, RefusesAManifestThatListsItself) {
  ArchiveBuilder builder;
  auto json = nlohmann::json::parse(builder.manifest_json());
  json["members"].push_back(
      {{"name", "extra/kit/manifest.json"}, {"size", 1}, {"sha256", std::string(64, '0')}});
  auto members = builder.members;
  members.emplace_back("extra/kit/manifest.json", json.dump());
  for (auto& member : members) member.first = "model/" + member.first;
  expect_refused("'extra/kit/manifest.json'", ArchiveBuilder::zip(members));
}

TEST(Archive, RefusesSeveralRoots) {
  expect_refused("not all in one folder", ArchiveBuilder::zip({{"a/data.pkl", ""}, {"b/data.pkl", ""}}));
  expect_refused("not all in one folder", ArchiveBuilder::zip({{"data.pkl", ""}}));
  expect_refused("the archive is empty",
                 "PK\3\4" + ArchiveBuilder::zip({}).substr(0, 22).replace(16, 1, "\4"));
}

TEST(Archive, RefusesWhatHasNoProgram) {
  expect_refused("no program in it", ArchiveBuilder::zip({{"m/data.pkl", "x"}, {"m/version", "3"}}));
}

TEST(Archive, WithoutManifestIsFromElsewhere) {
  const Archive archive = open(ArchiveBuilder::zip({{"m/data.pkl", "x"}, {"m/constants.pkl", "x"}}));
  EXPECT_EQ(archive.manifest(), nullptr);
  EXPECT_EQ(archive.member_names(), (std::vector<std::string>{"data.pkl", "constants.pkl"}));
  expect_error(ErrorCode::archive, "no golden cases", [&] { archive.cases(); });
}

TEST(Archive, RefusesBytesBeforeBehindAndBetween) {
  const std::string good = ArchiveBuilder().build();
  expect_refused("not an archive", "x" + good);
  expect_refused("damaged archive", good + "x");
  expect_refused("damaged archive", good + good);
}

TEST(Archive, RefusesEveryCut) {
  const std::string good = ArchiveBuilder().build();
  for (std::size_t size = 0; size < good.size(); ++size)
    ASSERT_THROW(open(good.substr(0, size)), Error) << "cut at " << size;
}

/// A flipped bit may be harmless (padding, a file mode); then the archive must still hold the same.
TEST(Archive, NoFlippedBitChangesWhatIsRead) {
  const std::string good = ArchiveBuilder().build();
  const Archive sound = open(good);
  std::size_t refused = 0;
  for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
    std::string flipped = good;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    try {
      const Archive archive = open(flipped);
      ASSERT_NE(archive.manifest(), nullptr) << "bit " << bit << " hides the manifest";
      ASSERT_EQ(archive.manifest()->json, sound.manifest()->json) << "bit " << bit;
      for (const std::string& name : sound.member_names()) {
        const auto before = sound.member(name);
        const auto after = archive.member(name);
        ASSERT_TRUE(std::equal(before.begin(), before.end(), after.begin(), after.end()))
            << name << ", bit " << bit;
      }
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::archive) << error.what();
      ++refused;
    }
  }
  std::size_t contents = 0;
  for (const std::string& name : sound.member_names()) contents += sound.member(name).size();
  EXPECT_GE(refused, 8 * contents);
}

}  // namespace
}  // namespace kit
