#pragma once

#include <functional>

namespace kit::endurance {

/// Runs `work(0)` to `work(count - 1)`, each in a thread of its own, until all have returned. Throws what one
/// of them threw.
void in_threads(int count, const std::function<void(int)>& work);

}  // namespace kit::endurance
