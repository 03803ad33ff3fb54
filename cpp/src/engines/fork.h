#pragma once

namespace kit {

/// Held while programs are loaded and unloaded, by as many threads as like to. A fork waits until nobody
/// holds it, so that the child finds neither the loader of libraries nor a lock of kit's in the middle of
/// something. Nothing that waits for Python's lock may happen meanwhile: a thread that forks has that.
class Loading {
 public:
  Loading();
  ~Loading();
  Loading(const Loading&) = delete;
  Loading& operator=(const Loading&) = delete;
};

/// libtorch has locks and threads of its own, which a fork leaves behind: it is used before a fork or in the
/// child, not in both.
class TorchUse {
 public:
  /// To be called before libtorch does anything in this process.
  static void begin() noexcept;

  /// Whether this process is the child of one that has used it.
  static bool is_lost() noexcept;

  /// Throws an unavailable error if it is lost.
  static void check();
};

}  // namespace kit
