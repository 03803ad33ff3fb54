#include "endurance/workers.h"

#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace kit::endurance {

void in_threads(int count, const std::function<void(int)>& work) {
  std::mutex mutex;
  std::exception_ptr thrown;
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(count));
  for (int index = 0; index < count; ++index)
    threads.emplace_back([&, index] {
      try {
        work(index);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (thrown == nullptr) thrown = std::current_exception();
      }
    });
  for (std::thread& thread : threads) thread.join();
  if (thrown != nullptr) std::rethrow_exception(thrown);
}

}  // namespace kit::endurance
