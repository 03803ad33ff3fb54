#include "core/isa.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include <kit/error.h>

#ifdef __x86_64__
#include <cpuid.h>
#endif

namespace kit {
namespace {

constexpr std::uint32_t bits(std::initializer_list<int> list) {
  std::uint32_t mask = 0;
  for (const int bit : list) mask |= std::uint32_t{1} << bit;
  return mask;
}

// In the order of the processor manuals' names.
constexpr std::uint32_t v2_leaf1 =
    bits({0 /*SSE3*/, 9 /*SSSE3*/, 13 /*CMPXCHG16B*/, 19 /*SSE4.1*/, 20 /*SSE4.2*/, 23 /*POPCNT*/});
constexpr std::uint32_t v2_extended1 = bits({0 /*LAHF, SAHF*/});
constexpr std::uint32_t v3_leaf1 = bits({12 /*FMA*/, 22 /*MOVBE*/, 27 /*OSXSAVE*/, 28 /*AVX*/, 29 /*F16C*/});
constexpr std::uint32_t v3_leaf7 = bits({3 /*BMI1*/, 5 /*AVX2*/, 8 /*BMI2*/});
constexpr std::uint32_t v3_extended1 = bits({5 /*LZCNT*/});
constexpr std::uint64_t v3_saved = bits({1 /*XMM*/, 2 /*YMM*/});
constexpr std::uint32_t v4_leaf7 = bits({16 /*AVX512F*/, 17 /*DQ*/, 28 /*CD*/, 30 /*BW*/, 31 /*VL*/});
constexpr std::uint64_t v4_saved = v3_saved | bits({5 /*masks*/, 6 /*upper ZMM*/, 7 /*ZMM16 to 31*/});

template <typename T>
constexpr bool has(T value, T mask) {
  return (value & mask) == mask;
}

constexpr std::array levels{Isa::x86_64_v2, Isa::x86_64_v3, Isa::x86_64_v4};

}  // namespace

std::string_view name(Isa isa) noexcept {
  switch (isa) {
    case Isa::other:
      return "no x86-64";
    case Isa::x86_64:
      return "x86-64";
    case Isa::x86_64_v2:
      return "x86-64-v2";
    case Isa::x86_64_v3:
      return "x86-64-v3";
    case Isa::x86_64_v4:
      return "x86-64-v4";
  }
  return "no x86-64";
}

std::optional<Isa> isa_from_name(std::string_view text) noexcept {
  const auto* const found =
      std::find_if(levels.begin(), levels.end(), [&](Isa level) { return name(level) == text; });
  return found == levels.end() ? std::nullopt : std::optional(*found);
}

Cpuid Cpuid::of_this_host() noexcept {
  Cpuid result;
#ifdef __x86_64__
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (::__get_cpuid(1, &a, &b, &c, &d) != 0) result.leaf1_ecx = c;
  if (::__get_cpuid_count(7, 0, &a, &b, &c, &d) != 0) result.leaf7_ebx = b;
  if (::__get_cpuid(0x80000001, &a, &b, &c, &d) != 0) result.extended1_ecx = c;
  if (has(result.leaf1_ecx, bits({27 /*OSXSAVE*/}))) {
    // The intrinsic for this needs a compiler option.
    __asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    result.xcr0 = (std::uint64_t{d} << 32) | a;
  }
#endif
  return result;
}

Isa isa_of(const Cpuid& cpuid) noexcept {
  if (!has(cpuid.leaf1_ecx, v2_leaf1) || !has(cpuid.extended1_ecx, v2_extended1)) return Isa::x86_64;
  if (!has(cpuid.leaf1_ecx, v3_leaf1) || !has(cpuid.leaf7_ebx, v3_leaf7) ||
      !has(cpuid.extended1_ecx, v3_extended1) || !has(cpuid.xcr0, v3_saved))
    return Isa::x86_64_v2;
  if (!has(cpuid.leaf7_ebx, v4_leaf7) || !has(cpuid.xcr0, v4_saved)) return Isa::x86_64_v3;
  return Isa::x86_64_v4;
}

Isa host_isa() {
#ifdef __x86_64__
  static const Isa own = isa_of(Cpuid::of_this_host());
#else
  static const Isa own = Isa::other;
#endif
  const char* asked = std::getenv("KIT_ISA");
  if (asked == nullptr || *asked == '\0') return own;
  const auto level = isa_from_name(asked);
  if (!level)
    throw Error(ErrorCode::usage, "KIT_ISA=" + std::string(asked) +
                                      ": it is no level; set it to x86-64-v2, x86-64-v3 or x86-64-v4");
  return std::min(own, *level);
}

}  // namespace kit
