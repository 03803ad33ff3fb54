#include "engines/precision.h"

#include <ATen/Context.h>
#include <c10/util/Exception.h>

#include "engines/turns.h"

namespace kit {
namespace {

using at::Float32Backend;
using at::Float32Op;
using at::Float32Precision;

/// Torch keeps one switch for both, and since 2.9 one for each beside it; much of torch throws if they
/// differ.
struct Allowed {
  bool both = true;
  Float32Precision convolutions = Float32Precision::TF32;
  Float32Precision recurrent = Float32Precision::TF32;
};

struct SharedPrecision {
  Turns<bool> turns;
  Allowed outside;  ///< of the process, as long as somebody is inside
};

SharedPrecision& shared() {
  static SharedPrecision one;
  return one;
}

/// Torch warns of the switch for both, which is the older one.
class Ignored : public c10::WarningHandler {
 public:
  void process(const c10::Warning& /*warning*/) override {}
};

Allowed allowed_now() {
  const at::Context& context = at::globalContext();
  Allowed state{.convolutions = context.float32Precision(Float32Backend::CUDA, Float32Op::CONV),
                .recurrent = context.float32Precision(Float32Backend::CUDA, Float32Op::RNN)};
  try {
    state.both = context.allowTF32CuDNN();
  } catch (const c10::Error&) {
    // It differs from these two; or they differ, then nobody can ask for it, and it is as torch has it.
    state.both = state.recurrent != state.convolutions || state.recurrent != Float32Precision::TF32;
  }
  return state;
}

void allow(const Allowed& state) {
  Ignored ignored;
  const c10::WarningUtils::WarningHandlerGuard quiet(&ignored);
  at::Context& context = at::globalContext();
  context.setAllowTF32CuDNN(state.both);
  context.setFloat32Precision(Float32Backend::CUDA, Float32Op::CONV, state.convolutions);
  context.setFloat32Precision(Float32Backend::CUDA, Float32Op::RNN, state.recurrent);
}

}  // namespace

Precision::Precision(c10::Device device, bool tf32) : held_(device.is_cuda()) {
  if (!held_) return;
  shared().turns.enter(tf32, [&] {
    shared().outside = allowed_now();
    const Float32Precision wanted = tf32 ? Float32Precision::TF32 : Float32Precision::IEEE;
    allow({tf32, wanted, wanted});
  });
}

Precision::~Precision() {
  if (held_) shared().turns.leave([] { allow(shared().outside); });
}

}  // namespace kit
