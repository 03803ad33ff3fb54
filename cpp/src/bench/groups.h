#pragma once

#include <cstddef>
#include <functional>
#include <vector>

namespace kit::bench {

/// How long a call takes, in seconds: one value for each of `groups` groups of `calls` calls in a row, their
/// mean. The clock is read once between two groups, so that it weighs little where a group is much longer
/// than reading it. Throws what a call throws.
std::vector<double> time_groups(const std::function<void()>& call, std::size_t groups, std::size_t calls);

}  // namespace kit::bench
