#include "engines/fork.h"

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <new>

#include <kit/error.h>

namespace kit {
namespace {

/// Lets threads in, until one of them is about to fork.
struct Gate {
  explicit Gate(int count) : inside(count) {}
  std::mutex mutex;
  std::condition_variable changed;
  int inside;
  bool forking = false;
};

/// Never destroyed: models may be, after it would be.
alignas(Gate) std::byte memory[sizeof(Gate)];
Gate* gate = new (memory) Gate(0);

std::atomic<bool> torch_used = false;
std::atomic<bool> torch_lost = false;

/// How often this thread has entered.
thread_local int depth = 0;

void before_fork() {
  // Who forks while it loads something itself cannot wait for that.
  if (depth > 0) return;
  std::unique_lock lock(gate->mutex);
  gate->changed.wait(lock, [] { return !gate->forking; });
  gate->forking = true;  // nobody enters any more, or those who come and go would keep us here
  gate->changed.wait(lock, [] { return gate->inside == 0; });
}

void after_fork_in_parent() {
  if (depth > 0) return;
  const std::lock_guard lock(gate->mutex);
  gate->forking = false;
  gate->changed.notify_all();
}

/// The threads that waited at the gate, or held its mutex for a moment, are not here.
void after_fork_in_child() {
  gate = new (memory) Gate(depth > 0 ? 1 : 0);
  if (torch_used) torch_lost = true;
}

[[maybe_unused]] const int registered =
    ::pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);

}  // namespace

Loading::Loading() {
  if (depth++ > 0) return;
  std::unique_lock lock(gate->mutex);
  gate->changed.wait(lock, [] { return !gate->forking; });
  ++gate->inside;
}

Loading::~Loading() {
  if (--depth > 0) return;
  const std::lock_guard lock(gate->mutex);
  if (--gate->inside == 0) gate->changed.notify_all();
}

void TorchUse::begin() noexcept { torch_used = true; }

bool TorchUse::is_lost() noexcept { return torch_lost; }

void TorchUse::check() {
  if (is_lost())
    throw Error(
        ErrorCode::unavailable,
        "this process was forked from one that had loaded a torchscript or aoti program, and libtorch "
        "is not to be used on both sides of a fork; start the child with spawn, load such programs in "
        "the child alone, or use native ones");
}

}  // namespace kit
