#include "engines/fork.h"

#include <atomic>
#include <chrono>
#include <thread>

#include <gtest/gtest.h>

#include <kit/kit.h>

#include "busy.h"
#include "child.h"
#include "endurance/subject.h"
#include "native_archive.h"
#include "temp_dir.h"

#ifdef __SANITIZE_THREAD__
/// The threads of the parent, which a child does not have, are no leak of it.
extern "C" const char* __tsan_default_options() { return "report_thread_leaks=0"; }
#endif

#ifdef __SANITIZE_ADDRESS__
/// The allocator of GCC 12's sanitizer does not expect a fork: the child may find a lock of it that a thread
/// of the parent had, and waits for ever.
#define KIT_SKIP_WHERE_MALLOC_DOES_NOT_FORK() GTEST_SKIP() << "the sanitizer's allocator locks up in a child"
#else
#define KIT_SKIP_WHERE_MALLOC_DOES_NOT_FORK() static_cast<void>(0)
#endif

namespace kit {
namespace {

using endurance::Subject;
using test::Busy;
using test::in_child;
using test::NativeArchive;
using test::NativeProgram;

std::string write(const TempDir& dir, float bias = 0) {
  NativeArchive builder({"x86-64-v2"}, NativeProgram().set_bias(bias));
  return dir.write("bias" + std::to_string(bias) + ".pt", builder.build());
}

std::string said(bool right) { return right ? "right" : "wrong"; }

TEST(Fork, AChildPredictsWithWhatItsParentLoaded) {
  const TempDir dir;
  const Subject subject(write(dir), Engine::native);
  const Model model = subject.load();
  EXPECT_EQ(in_child([&] { return said(subject.predicts(model, 0)); }), "right");
  EXPECT_TRUE(subject.predicts(model, 0));
}

TEST(Fork, AChildPredictsAlthoughThreadsOfItsParentDid) {
  KIT_SKIP_WHERE_MALLOC_DOES_NOT_FORK();
  const TempDir dir;
  const Subject subject(write(dir), Engine::native);
  const Model model = subject.load();
  const Busy busy(4, [&] { subject.predicts(model, 0); });
  for (int i = 0; i < 30; ++i) ASSERT_EQ(in_child([&] { return said(subject.predicts(model, 0)); }), "right");
}

/// The loader's lock, and that of the list of libraries, are held most of the time.
TEST(Fork, AChildLoadsAlthoughThreadsOfItsParentDid) {
  KIT_SKIP_WHERE_MALLOC_DOES_NOT_FORK();
  const TempDir dir;
  const Subject subject(write(dir), Engine::native);
  std::atomic<int> number = 0;
  NativeArchive never({"x86-64-v2"}, NativeProgram().set_abi(2));
  const Archive refused = Archive::from_bytes(test::bytes_of(never.build()), "here.pt");
  const Busy busy(3, [&] {
    try {
      Model::load(refused, {.engine = Engine::native});  // is loaded, looked at, and unloaded
    } catch (const Error&) {
      ++number;
    }
  });
  while (number < 10) std::this_thread::yield();
  for (int i = 0; i < 30; ++i)
    ASSERT_EQ(in_child([&] { return said(subject.predicts(subject.load_anew(), 0)); }), "right") << i;
}

TEST(Fork, AChildOfAChildWorksToo) {
  const TempDir dir;
  const Subject subject(write(dir), Engine::native);
  const Model model = subject.load();
  const auto predict = [&] { return said(subject.predicts(model, 0)); };
  EXPECT_EQ(in_child([&] { return in_child(predict); }), "right");
}

TEST(Fork, WaitsForThoseThatLoad) {
  std::atomic<bool> inside = false;
  std::atomic<bool> left = false;
  std::thread loader([&] {
    const Loading loading;
    const Loading further;
    inside = true;
    inside.notify_one();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    left = true;
  });
  inside.wait(false);
  EXPECT_EQ(in_child([&] { return said(left); }), "right");
  loader.join();
}

TEST(Fork, OfOneThatLoadsDoesNotWaitForItself) {
  const Loading loading;
  EXPECT_EQ(in_child([] {
              const Loading further;
              return said(true);
            }),
            "right");
}

TEST(Fork, TorchIsUsedOnOneSideAlone) {
  EXPECT_EQ(in_child([] {
              TorchUse::check();
              TorchUse::begin();
              TorchUse::check();
              return in_child([] {
                TorchUse::check();
                return said(false);
              });
            }),
            "this process was forked from one that had loaded a torchscript or aoti program, and libtorch is "
            "not to be used on both sides of a fork; start the child with spawn, load such programs in the "
            "child alone, or use native ones");
  TorchUse::check();
}

}  // namespace
}  // namespace kit
