#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

#include <kit/configuration.h>

namespace kit {

/// Torch's process-wide switches for compiling graphs. Calls that want the same settings run side by side;
/// others wait for their turn, in the order in which they came. The settings of the process are put back when
/// nobody is inside, so code that uses torch without kit sees them changed only meanwhile.
class Switches {
 public:
  struct Settings {
    bool fusion = false;
    int static_depth = 1;
    int dynamic_depth = 0;

    friend bool operator==(const Settings&, const Settings&) = default;
  };

  /// The settings hold as long as this is alive, and so does the optimization of graphs, which a thread can
  /// switch off for itself. Throws an unavailable error if the environment forbids fusion that is wanted.
  class Hold {
   public:
    explicit Hold(const Settings& settings);
    ~Hold();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    bool optimized_;  ///< whether the thread optimizes graphs without us
  };

 private:
  static Switches& shared();

  void enter(const Settings& settings);
  void leave();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t next_ = 0;     ///< the ticket of who comes next
  std::uint64_t serving_ = 0;  ///< the ticket of who enters next
  int inside_ = 0;
  Settings current_;
};

}  // namespace kit
