#pragma once

#include <atomic>
#include <cstddef>
#include <functional>

namespace kit {

/// Threads that help with calls that can be divided. They are started by the first call that wants them, and
/// then wait for the next: at first awake, as one often follows at once, then asleep.
class Workers {
 public:
  /// How many threads work for a call at most, the caller's among them: 1 or more.
  explicit Workers(std::size_t threads);
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// Ends the threads. Not while a thread is in `run`.
  ~Workers();

  /// Calls `work` with each number from 0 to `count` - 1, in up to so many threads at once, of which this is
  /// one, and returns when all have ended. While the threads help one call, others do without. In a process
  /// that was forked there are none at first, so they are started again. Throws what the first of the numbers
  /// threw, and an unavailable error if a thread cannot be started.
  void run(std::size_t threads, std::size_t count, const std::function<void(std::size_t)>& work);

 private:
  class Team;
  Team& team();

  std::size_t threads_;
  std::atomic<Team*> team_{nullptr};
};

}  // namespace kit
