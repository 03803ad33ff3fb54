#pragma once

#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include "engines/turns.h"

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
    bool large = false;  ///< whether kernels of a GPU are for `is_large`

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

  Turns<Settings> turns_;
};

/// Whether one has so many elements that the memory of a GPU is what takes the time: a kernel for such sizes
/// is divided otherwise.
bool is_large(const std::vector<c10::IValue>& inputs);
bool is_large(const std::vector<at::Tensor>& inputs);

}  // namespace kit
