#pragma once

#include <cstdint>

#include <gtest/gtest.h>

#include "endurance/campaigns.h"

namespace kit::test {

/// A sanitizer keeps notes of what it sees, so memory is looked at without one.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::int64_t allowed_growth = std::int64_t{256} << 20;
#else
constexpr std::int64_t allowed_growth = std::int64_t{5} << 20;
#endif

/// Fails unless all results were right and the process holds no more than before, but for `more` bytes.
inline void expect_steady(const endurance::Outcome& outcome, std::int64_t more = 0) {
  EXPECT_EQ(outcome.wrong, 0);
  EXPECT_LE(outcome.after.resident - outcome.before.resident, allowed_growth + more);
  EXPECT_LE(outcome.after.descriptors, outcome.before.descriptors);
  EXPECT_LE(outcome.after.files, outcome.before.files);
}

}  // namespace kit::test
