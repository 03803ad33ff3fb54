#include "engines/precision.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include <ATen/Context.h>
#include <gtest/gtest.h>

namespace kit {
namespace {

using at::Float32Backend;
using at::Float32Op;
using at::Float32Precision;

// These are torch's switches alone: no GPU is asked.
const c10::Device gpu(c10::kCUDA, 0);

Float32Precision of(Float32Op operation) {
  return at::globalContext().float32Precision(Float32Backend::CUDA, operation);
}

TEST(Precision, IsTheProcessesAgainAfterwards) {
  for (const Float32Precision before : {Float32Precision::TF32, Float32Precision::IEEE}) {
    at::globalContext().setFloat32Precision(Float32Backend::CUDA, Float32Op::CONV, before);
    for (const bool tf32 : {false, true}) {
      {
        const Precision precision(gpu, tf32);
        const Float32Precision wanted = tf32 ? Float32Precision::TF32 : Float32Precision::IEEE;
        EXPECT_EQ(of(Float32Op::CONV), wanted);
        EXPECT_EQ(of(Float32Op::RNN), wanted);
      }
      EXPECT_EQ(of(Float32Op::CONV), before);
      EXPECT_EQ(of(Float32Op::RNN), Float32Precision::TF32) << "torch's default";
    }
  }
  at::globalContext().setFloat32Precision(Float32Backend::CUDA, Float32Op::CONV, Float32Precision::TF32);
}

TEST(Precision, MeansNothingForTheCpu) {
  const Precision precision(c10::kCPU, false);
  EXPECT_EQ(of(Float32Op::CONV), Float32Precision::TF32);
}

TEST(Precision, StaysUntilTheLastHasLeft) {
  auto first = std::make_unique<Precision>(gpu, false);
  const auto second = std::make_unique<Precision>(gpu, false);
  first.reset();
  EXPECT_EQ(of(Float32Op::CONV), Float32Precision::IEEE);
}

TEST(Precision, AnotherWaitsForItsTurn) {
  auto held = std::make_unique<Precision>(gpu, false);
  std::atomic<bool> entered = false;
  Float32Precision seen{};
  std::thread other([&] {
    const Precision precision(gpu, true);
    seen = of(Float32Op::CONV);
    entered = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(entered);
  EXPECT_EQ(of(Float32Op::CONV), Float32Precision::IEEE);
  held.reset();
  other.join();
  EXPECT_EQ(seen, Float32Precision::TF32);
}

}  // namespace
}  // namespace kit
