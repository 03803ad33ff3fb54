#include "bench/throughput.h"

#include <algorithm>
#include <barrier>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace kit::bench {
namespace {

/// What the threads have measured so far: each gives its rate block by block, and the n-th blocks of all were
/// measured at about the same time.
class Rates {
 public:
  Rates(std::size_t threads, const Limits& limits)
      : limits_(limits), of_threads_(threads), sums_(limits), start_(steady_seconds()) {}

  /// Takes a block of a thread. Returns whether there is more to measure.
  bool add(std::size_t thread, double rate) {
    const std::lock_guard lock(mutex_);
    of_threads_[thread].push_back(rate);
    while (std::all_of(of_threads_.begin(), of_threads_.end(),
                       [this](const std::vector<double>& rates) { return rates.size() > sums_.size(); })) {
      double sum = 0;
      for (const std::vector<double>& rates : of_threads_) sum += rates[sums_.size()];
      sums_.add(sum);
      seconds_ = steady_seconds() - start_;
      done_ = done_ || sums_.stable() || seconds_ >= limits_.seconds;
    }
    return !done_;
  }

  void fail(std::exception_ptr error) {
    const std::lock_guard lock(mutex_);
    error_ = std::move(error);
    done_ = true;
  }

  Throughput result() const {
    if (error_) std::rethrow_exception(error_);
    return {sums_.interval(), sums_.stable(), seconds_};
  }

 private:
  Limits limits_;
  std::mutex mutex_;
  std::vector<std::vector<double>> of_threads_;
  Blocks sums_;
  double start_;
  double seconds_ = 0;
  bool done_ = false;
  std::exception_ptr error_;
};

double block_rate(const std::function<void()>& call, double block_seconds) {
  const double start = steady_seconds();
  double elapsed = 0;
  double calls = 0;
  while (elapsed < block_seconds) {
    call();
    ++calls;
    elapsed = steady_seconds() - start;
  }
  return calls / elapsed;
}

}  // namespace

Throughput measure_throughput(const std::function<void()>& call, int threads, const Limits& limits) {
  Rates rates(static_cast<std::size_t>(threads), limits);
  std::barrier ready(threads);
  std::vector<std::thread> workers;
  for (std::size_t i = 0; i < static_cast<std::size_t>(threads); ++i) {
    workers.emplace_back([&, i] {
      try {
        call();
      } catch (...) {
        rates.fail(std::current_exception());
      }
      ready.arrive_and_wait();
      try {
        while (rates.add(i, block_rate(call, limits.block_seconds))) {
        }
      } catch (...) {
        rates.fail(std::current_exception());
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  return rates.result();
}

}  // namespace kit::bench
