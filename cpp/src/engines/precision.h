#pragma once

#include <c10/core/Device.h>

namespace kit {

/// Whether cuDNN may round the float32 inputs of convolutions and recurrent layers to the ten bits of TF32,
/// as long as this is alive. That is a switch of the process, and on without us: calls that want it the same
/// way run side by side, others wait for their turn, and the switch is put back when nobody is inside. For
/// the CPU it means nothing.
class Precision {
 public:
  Precision(c10::Device device, bool tf32);
  ~Precision();
  Precision(const Precision&) = delete;
  Precision& operator=(const Precision&) = delete;

 private:
  bool held_;
};

}  // namespace kit
