#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace kit {

/// Who uses settings that a process has once. Those that want the same ones are inside together; others wait
/// for their turn, in the order in which they came.
template <typename Settings>
class Turns {
 public:
  /// Waits until it may enter. The first that is inside calls `set` before that.
  template <typename Set>
  void enter(const Settings& settings, const Set& set) {
    std::unique_lock lock(mutex_);
    const std::uint64_t ticket = next_++;
    changed_.wait(lock, [&] { return ticket == serving_ && (inside_ == 0 || settings == current_); });
    ++serving_;
    if (inside_ == 0) {
      set();
      current_ = settings;
    }
    ++inside_;
    if (serving_ != next_) changed_.notify_all();
  }

  /// The last that was inside calls `put_back`.
  template <typename PutBack>
  void leave(const PutBack& put_back) {
    const std::lock_guard lock(mutex_);
    if (--inside_ > 0) return;
    put_back();
    if (serving_ != next_) changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t next_ = 0;     ///< the ticket of who comes next
  std::uint64_t serving_ = 0;  ///< the ticket of who enters next
  int inside_ = 0;
  Settings current_{};
};

}  // namespace kit
