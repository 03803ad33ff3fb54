#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <kit/tensor.h>

#include "io/batches.h"

namespace kit::io {

/// Reads batches ahead, in a thread of its own: while the model is loaded, and while it predicts.
///
/// Only for what is read without waiting for somebody else. Its end waits for the read that is under way,
/// which for a pipe may never come back.
class Prefetch {
 public:
  /// Starts to read. As long as batches of more than `most_bytes` wait to be taken, no further one is read.
  /// `batches` must outlive this, and nobody else may use it until `next` has given nothing.
  Prefetch(Batches& batches, std::size_t most_bytes);

  ~Prefetch();
  Prefetch(const Prefetch&) = delete;
  Prefetch& operator=(const Prefetch&) = delete;

  /// What `Batches::next` gave or threw, in the same order.
  std::optional<std::vector<Tensor>> next();

 private:
  void read_all();

  Batches& batches_;
  const std::size_t most_bytes_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::vector<Tensor>> waiting_;  // these five are guarded by the mutex
  std::size_t waiting_bytes_ = 0;
  bool ended_ = false;
  bool stop_ = false;
  std::exception_ptr failure_;
  std::thread thread_;  ///< last, so that it starts when everything else is there
};

}  // namespace kit::io
