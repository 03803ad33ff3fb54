#include "engines/workers.h"

#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include <kit/error.h>

namespace kit {
namespace {

/// About 30 µs: what it takes to wake a thread that sleeps.
constexpr int spins = 1000;

void pause() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// What there is to do, and how far it is.
struct Job {
  Job(std::size_t threads, std::size_t count, const std::function<void(std::size_t)>& each)
      : work(each), thrown(count), places(threads - 1) {}

  void take() {
    const std::size_t count = thrown.size();
    for (std::size_t i = next++; i < count; i = next++) {
      try {
        work(i);
      } catch (...) {
        thrown[i] = std::current_exception();
        next = count;  // the others need not be tried
      }
    }
  }

  const std::function<void(std::size_t)>& work;
  std::vector<std::exception_ptr> thrown;
  std::size_t places;  ///< for how many threads more there is work
  std::atomic<std::size_t> next{0};
};

}  // namespace

/// The threads of one process.
class Workers::Team {
 public:
  Team() = default;
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  ~Team() {
    {
      const std::lock_guard lock(mutex_);
      ends_ = true;
      ++calls_;
    }
    called_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  bool is_here() const noexcept { return process_ == getpid(); }

  /// Whether the threads have worked for the job: not if they work for another.
  bool work(Job& job, std::size_t threads) {
    const std::unique_lock alone(busy_, std::try_to_lock);
    if (!alone) return false;
    start(threads);
    {
      const std::lock_guard lock(mutex_);
      job_ = &job;
      ++calls_;
    }
    called_.notify_all();
    job.take();
    {
      const std::lock_guard lock(mutex_);
      job_ = nullptr;  // who comes now has nothing to do; who is at it is waited for
    }
    for (int i = 0; i < spins && helping_ != 0; ++i) pause();
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return helping_ == 0; });
    return true;
  }

 private:
  void start(std::size_t threads) {
    try {
      while (threads_.size() + 1 < threads) threads_.emplace_back([this] { help(); });
    } catch (const std::system_error& error) {
      throw Error(ErrorCode::unavailable,
                  "no further thread can be started: " + error.code().message() + "; ask for fewer threads");
    }
  }

  void help() {
    std::uint64_t seen = 0;
    std::unique_lock lock(mutex_);
    for (;;) {
      if (calls_ == seen) {
        lock.unlock();
        for (int i = 0; i < spins && calls_ == seen; ++i) pause();
        lock.lock();
      }
      called_.wait(lock, [&] { return calls_ != seen; });
      seen = calls_;
      if (ends_) return;
      if (job_ == nullptr || job_->places == 0) continue;
      Job& job = *job_;
      --job.places;
      ++helping_;
      lock.unlock();
      job.take();
      lock.lock();
      if (--helping_ == 0) done_.notify_one();
    }
  }

  const pid_t process_ = getpid();
  std::mutex busy_;  ///< held by the call that the threads work for
  std::mutex mutex_;
  std::condition_variable called_, done_;
  // These change with the mutex held.
  std::atomic<std::uint64_t> calls_{0};
  std::atomic<std::size_t> helping_{0};
  Job* job_ = nullptr;
  bool ends_ = false;
  std::vector<std::thread> threads_;
};

Workers::Workers(std::size_t threads) : threads_(threads) {}

Workers::~Workers() {
  // Those of the process that this one was forked from are not here to be waited for.
  Team* const team = team_;
  if (team != nullptr && team->is_here()) delete team;
}

Workers::Team& Workers::team() {
  Team* known = team_;
  while (known == nullptr || !known->is_here()) {
    auto made = std::make_unique<Team>();
    if (team_.compare_exchange_strong(known, made.get())) return *made.release();
  }
  return *known;
}

void Workers::run(std::size_t threads, std::size_t count, const std::function<void(std::size_t)>& work) {
  threads = std::min({threads, threads_, count});
  Job job(std::max<std::size_t>(1, threads), count, work);
  if (threads <= 1 || !team().work(job, threads)) job.take();
  for (const std::exception_ptr& one : job.thrown)
    if (one) std::rethrow_exception(one);
}

}  // namespace kit
