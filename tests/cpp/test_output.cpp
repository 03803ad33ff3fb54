#include "io/output_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include "io/spool.h"
#include "io_helpers.h"
#include "temp_dir.h"

using kit::ErrorCode;
using kit::io::OutputFile;

namespace {
using Names = std::vector<std::string>;
}

TEST(Output, AppearsOnlyWithCommit) {
  const TempDir dir;
  {
    OutputFile file(dir.path("out.csv"));
    EXPECT_TRUE(file.seekable());
    file.write("hello ");
    file.write("world\n");
    EXPECT_FALSE(std::filesystem::exists(dir.path("out.csv")));
    file.commit();
  }
  EXPECT_EQ(dir.read("out.csv"), "hello world\n");
  EXPECT_EQ(dir.names(), Names{"out.csv"});
}

TEST(Output, WithoutCommitTheOldFileStays) {
  const TempDir dir;
  const std::string path = dir.write("out.csv", "old");
  {
    OutputFile file(path);
    file.write(std::string(1 << 20, 'x'));
  }
  EXPECT_EQ(dir.read("out.csv"), "old");
  EXPECT_EQ(dir.names(), Names{"out.csv"});
}

TEST(Output, ReplacesAFileAndKeepsItsMode) {
  const TempDir dir;
  const std::string path = dir.write("out.csv", "something longer than the new content");
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  OutputFile file(path);
  file.write("new");
  file.commit();
  EXPECT_EQ(dir.read("out.csv"), "new");
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0640u);
}

TEST(Output, IsNotTheFileThatIsRead) {
  const TempDir dir;
  const std::string path = dir.write("model.pt", "model");
  std::filesystem::create_symlink("model.pt", dir.path("link.pt"));
  expect_error(ErrorCode::usage, {"link.pt' is the file", "model.pt, which is read"},
               [&] { OutputFile(dir.path("link.pt"), path); });
  EXPECT_EQ(dir.read("model.pt"), "model");
  OutputFile other(dir.path("out.csv"), path);
  other.commit();
}

TEST(Output, ALinkStaysALink) {
  const TempDir dir;
  dir.write("real.csv", "old");
  std::filesystem::create_symlink("real.csv", dir.path("link.csv"));
  OutputFile file(dir.path("link.csv"));
  file.write("new");
  file.commit();
  EXPECT_TRUE(std::filesystem::is_symlink(dir.path("link.csv")));
  EXPECT_EQ(dir.read("real.csv"), "new");
}

TEST(Output, LargePiecesAndRoomKeepTheirOrder) {
  const TempDir dir;
  OutputFile file(dir.path("out"));
  std::string expected;
  for (int i = 0; i < 40; ++i) {
    const std::string piece(static_cast<std::size_t>(i) * 20'011, static_cast<char>('a' + i % 26));
    if (i % 3 == 0) {
      std::copy(piece.begin(), piece.end(), file.room(piece.size() + 100));
      file.wrote(piece.size());
    } else {
      file.write(piece);
    }
    expected += piece;
  }
  file.patch(5, "PATCH");
  expected.replace(5, 5, "PATCH");
  file.commit();
  EXPECT_EQ(dir.read("out"), expected);
}

TEST(Output, AMissingDirectoryIsAUsageError) {
  const TempDir dir;
  expect_error(ErrorCode::usage, {dir.path("none"), "does not exist"},
               [&] { OutputFile(dir.path("none/out.csv")); });
  expect_error(ErrorCode::usage, {"does not exist"}, [&] { OutputFile(dir.write("file", "") + "/out.csv"); });
  expect_error(ErrorCode::usage, {"is a directory"}, [&] { OutputFile{dir.str()}; });
  expect_error(ErrorCode::usage, {"is a directory"}, [&] { OutputFile(dir.path("new/")); });
}

TEST(Output, AFullDiskIsUnavailable) {
  expect_error(ErrorCode::unavailable, {"/dev/full", "No space left on device"}, [] {
    OutputFile file("/dev/full");
    EXPECT_FALSE(file.seekable());
    file.write("x");
    file.commit();
  });
  expect_error(ErrorCode::unavailable, {"/dev/full", "No space left on device"}, [] {
    OutputFile file("/dev/full");
    file.write(std::string(1 << 20, 'x'));
  });
}

TEST(Output, ADeviceIsWrittenDirectly) {
  OutputFile file("/dev/null");
  file.write("x");
  file.commit();
  struct stat status {};
  ASSERT_EQ(::stat("/dev/null", &status), 0);
  EXPECT_TRUE(S_ISCHR(status.st_mode));
}

TEST(Spool, GivesBackWhatItGot) {
  for (const std::size_t pieces : {0u, 3u, 4000u}) {
    const TempDir dir;
    kit::io::Spool spool(dir.str());
    std::string expected;
    for (std::size_t i = 0; i < pieces; ++i) {
      const std::string piece(i % 1000, static_cast<char>('a' + i % 26));
      spool.write(piece.data(), piece.size());
      expected += piece;
    }
    const std::string large(3 << 20, '!');
    if (pieces == 4000) {
      spool.write(large.data(), large.size());
      spool.write("end", 3);
      expected += large + "end";
    }
    EXPECT_EQ(spool.size(), expected.size());
    OutputFile file(dir.path("out"));
    spool.copy_to(file);
    file.commit();
    EXPECT_EQ(dir.read("out"), expected);
    EXPECT_EQ(dir.names(), Names{"out"});
  }
}
