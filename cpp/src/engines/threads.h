#pragma once

#include <optional>

namespace kit {

/// Threads within an operation for the calls of this thread, as long as it is alive. Neither other threads
/// nor those that are started meanwhile see them.
class Threads {
 public:
  /// Leaves them as they are if no count is given.
  explicit Threads(const std::optional<int>& count);
  ~Threads();
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_ = 0;  ///< 0 if they were left
};

/// The process's threads between operations. They can be set once, before torch first uses them: throws an
/// unavailable error after that, if there are not as many as are wanted.
void set_interop_threads(const std::optional<int>& count);

}  // namespace kit
