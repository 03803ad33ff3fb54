#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace kit::bench {

/// The name of the CPU, as the system has it; "unknown" if it does not say.
std::string cpu_name();

/// How many cores this process may use.
int cores();

/// How many processes ran or waited to run in the last minute, on average; what is measured meanwhile shares
/// the cores with them. Negative where the system does not say.
double load();

/// "2025-11-25T14:12:10Z".
std::string now_utc();

/// The most memory that this process has had resident since it started, or since `forget_peak`, in bytes.
/// Nothing where the system does not say.
std::optional<std::uint64_t> peak_memory();

/// Begins anew from what is resident now. Returns whether the system allows that.
bool forget_peak();

}  // namespace kit::bench
