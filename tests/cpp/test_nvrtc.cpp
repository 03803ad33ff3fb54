#include "engines/nvrtc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "temp_dir.h"

namespace kit {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

TEST(Nvrtc, TheBuiltinsAreTakenFromTheFirstFolderThatHasThem) {
  const TempDir none;
  const TempDir here;
  const TempDir later;
  none.write("libnvrtc.so.13", "");
  const std::string newer = here.write("libnvrtc-builtins.so.13.1", "");
  const std::string older = here.write("libnvrtc-builtins.so.13.0", "");
  here.write("libnvrtc-builtins.alt.so.13.0", "");
  later.write("libnvrtc-builtins.so.13.0", "");
  EXPECT_THAT(find_nvrtc_builtins({none.path("missing"), none.str(), here.str(), later.str()}),
              ElementsAre(older, newer));
  EXPECT_THAT(find_nvrtc_builtins({none.path("missing"), none.str()}), IsEmpty());
}

TEST(Nvrtc, TheFoldersOfALibraryThatIsLoadedAreKnown) {
  EXPECT_THAT(folders_of_library("libtorch_cpu.so"), Not(IsEmpty()));
  EXPECT_THAT(folders_of_library("libno-such.so"), IsEmpty());
}

}  // namespace
}  // namespace kit
