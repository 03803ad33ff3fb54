#include "bench/groups.h"

#include "bench/series.h"

namespace kit::bench {

std::vector<double> time_groups(const std::function<void()>& call, std::size_t groups, std::size_t calls) {
  std::vector<double> means(groups);
  double before = steady_seconds();
  for (double& mean : means) {
    for (std::size_t i = 0; i < calls; ++i) call();
    const double now = steady_seconds();
    mean = (now - before) / static_cast<double>(calls);
    before = now;
  }
  return means;
}

}  // namespace kit::bench
