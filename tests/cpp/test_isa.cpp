#include <stdlib.h>

#include <gtest/gtest.h>

#include "core/isa.h"
#include "environment.h"
#include "expect_error.h"

namespace kit {
namespace {

using test::Environment;
using test::expect_error;

/// What a processor with AVX-512 says, under a system that saves all registers.
constexpr Cpuid everything{0xffffffff, 0xffffffff, 0xffffffff, 0xff};

constexpr std::uint32_t without(int bit) { return ~(std::uint32_t{1} << bit); }

TEST(Isa, NamesComeBack) {
  for (const Isa isa : {Isa::x86_64_v2, Isa::x86_64_v3, Isa::x86_64_v4})
    EXPECT_EQ(isa_from_name(name(isa)), isa);
  for (const char* text : {"", "x86-64", "x86-64-v1", "x86-64-v5", "avx2", "no x86-64"})
    EXPECT_EQ(isa_from_name(text), std::nullopt) << text;
}

TEST(Isa, EveryLevelNeedsTheOnesBefore) {
  EXPECT_EQ(isa_of(Cpuid{}), Isa::x86_64);
  EXPECT_EQ(isa_of(everything), Isa::x86_64_v4);
  Cpuid cpuid = everything;
  cpuid.leaf1_ecx &= without(23);  // POPCNT
  EXPECT_EQ(isa_of(cpuid), Isa::x86_64);
}

TEST(Isa, OneInstructionLessIsALevelLess) {
  for (const int bit : {0, 9, 13, 19, 20, 23}) {
    Cpuid cpuid = everything;
    cpuid.leaf1_ecx &= without(bit);
    EXPECT_EQ(isa_of(cpuid), Isa::x86_64) << bit;
  }
  for (const int bit : {12, 22, 27, 28, 29}) {
    Cpuid cpuid = everything;
    cpuid.leaf1_ecx &= without(bit);
    EXPECT_EQ(isa_of(cpuid), Isa::x86_64_v2) << bit;
  }
  for (const int bit : {3, 5, 8, 16, 17, 28, 30, 31}) {
    Cpuid cpuid = everything;
    cpuid.leaf7_ebx &= without(bit);
    EXPECT_EQ(isa_of(cpuid), bit < 16 ? Isa::x86_64_v2 : Isa::x86_64_v3) << bit;
  }
  Cpuid cpuid = everything;
  cpuid.extended1_ecx &= without(5);  // LZCNT
  EXPECT_EQ(isa_of(cpuid), Isa::x86_64_v2);
}

TEST(Isa, WhatTheSystemDoesNotSaveCannotBeUsed) {
  Cpuid cpuid = everything;
  cpuid.xcr0 = 0x07;  // no registers of AVX-512
  EXPECT_EQ(isa_of(cpuid), Isa::x86_64_v3);
  cpuid.xcr0 = 0x03;  // none of AVX
  EXPECT_EQ(isa_of(cpuid), Isa::x86_64_v2);
}

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12
TEST(Isa, TheCompilerSaysTheSameOfThisHost) {
  const Isa own = isa_of(Cpuid::of_this_host());
  EXPECT_EQ(own >= Isa::x86_64_v2, __builtin_cpu_supports("x86-64-v2") != 0);
  EXPECT_EQ(own >= Isa::x86_64_v3, __builtin_cpu_supports("x86-64-v3") != 0);
  EXPECT_EQ(own >= Isa::x86_64_v4, __builtin_cpu_supports("x86-64-v4") != 0);
}
#endif

TEST(Isa, AHostCanBePlayedSmallerAndNotLarger) {
  const Isa own = [] {
    const Environment unset("KIT_ISA", "");
    return host_isa();
  }();
  for (const Isa isa : {Isa::x86_64_v2, Isa::x86_64_v3, Isa::x86_64_v4}) {
    const Environment set("KIT_ISA", std::string(name(isa)));
    EXPECT_EQ(host_isa(), std::min(own, isa));
  }
  const Environment wrong("KIT_ISA", "avx2");
  expect_error(ErrorCode::usage, "KIT_ISA=avx2: it is no level; set it to x86-64-v2, x86-64-v3 or x86-64-v4",
               [] { host_isa(); });
}

}  // namespace
}  // namespace kit
