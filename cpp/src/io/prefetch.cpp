#include "io/prefetch.h"

#include <string>
#include <system_error>
#include <utility>

#include <kit/error.h>

namespace kit::io {
namespace {

std::size_t bytes_of(const std::vector<Tensor>& inputs) {
  std::size_t bytes = 0;
  for (const Tensor& input : inputs) bytes += input.nbytes();
  return bytes;
}

}  // namespace

Prefetch::Prefetch(Batches& batches, std::size_t most_bytes) try
    : batches_(batches), most_bytes_(most_bytes), thread_([this] { read_all(); }) {
} catch (const std::system_error& error) {
  throw Error(ErrorCode::unavailable, "no thread can be started to read the input ahead: " +
                                          error.code().message() + "; raise the limits of this process");
}

Prefetch::~Prefetch() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::optional<std::vector<Tensor>> Prefetch::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !waiting_.empty() || ended_; });
  if (!waiting_.empty()) {
    std::vector<Tensor> inputs = std::move(waiting_.front());
    waiting_.pop_front();
    waiting_bytes_ -= bytes_of(inputs);
    lock.unlock();
    changed_.notify_all();
    return inputs;
  }
  if (failure_) std::rethrow_exception(failure_);
  return std::nullopt;
}

void Prefetch::read_all() {
  std::exception_ptr failure;
  try {
    while (auto inputs = batches_.next()) {
      std::unique_lock lock(mutex_);
      waiting_bytes_ += bytes_of(*inputs);
      waiting_.push_back(std::move(*inputs));
      changed_.notify_all();
      changed_.wait(lock, [this] { return stop_ || waiting_bytes_ <= most_bytes_; });
      if (stop_) return;
    }
  } catch (...) {
    failure = std::current_exception();  // `next` throws it, where its turn comes
  }
  {
    const std::lock_guard lock(mutex_);
    failure_ = failure;
    ended_ = true;
  }
  changed_.notify_all();
}

}  // namespace kit::io
