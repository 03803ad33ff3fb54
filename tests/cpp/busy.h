#pragma once

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

namespace kit::test {

/// Threads that do something again and again as long as this lives.
class Busy {
 public:
  Busy(int count, const std::function<void()>& work) {
    for (int i = 0; i < count; ++i)
      threads_.emplace_back([this, work] {
        while (!stop_) work();
      });
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;
  ~Busy() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  std::atomic<bool> stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace kit::test
