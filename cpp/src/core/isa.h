#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kit {

/// The micro-architecture levels of the x86-64 psABI, https://gitlab.com/x86-psABIs/x86-64-ABI: each has the
/// instructions of the ones before it. `other` is no x86-64.
enum class Isa { other, x86_64, x86_64_v2, x86_64_v3, x86_64_v4 };

/// "x86-64-v3"; "no x86-64".
std::string_view name(Isa isa) noexcept;

/// The level of that name, from "x86-64-v2" on, or nothing if it is none.
std::optional<Isa> isa_from_name(std::string_view name) noexcept;

/// What the instruction CPUID says, and XGETBV of the registers that the system saves.
struct Cpuid {
  std::uint32_t leaf1_ecx = 0;
  std::uint32_t leaf7_ebx = 0;
  std::uint32_t extended1_ecx = 0;  ///< of leaf 0x80000001
  std::uint64_t xcr0 = 0;           ///< 0 if the system does not allow to ask

  static Cpuid of_this_host() noexcept;
};

/// The highest level all of whose instructions are there and may be used. Only for an x86-64.
Isa isa_of(const Cpuid& cpuid) noexcept;

/// The level of this host, or the lower one that the environment variable KIT_ISA names. Throws a usage error
/// if that is no level.
Isa host_isa();

}  // namespace kit
