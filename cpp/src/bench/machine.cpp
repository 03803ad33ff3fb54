#include "bench/machine.h"

#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>

namespace kit::bench {
namespace {

/// What stands behind the first "key:" of a file of the system's, or nothing.
std::optional<std::string> value_of(const char* path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || line.compare(0, key.size(), key) != 0) continue;
    const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? std::string() : line.substr(begin);
  }
  return std::nullopt;
}

}  // namespace

std::string cpu_name() { return value_of("/proc/cpuinfo", "model name").value_or("unknown"); }

int cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

double load() {
  double average = -1;
  return ::getloadavg(&average, 1) == 1 ? average : -1;
}

std::string now_utc() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::optional<std::uint64_t> peak_memory() {
  const std::optional<std::string> kilobytes = value_of("/proc/self/status", "VmHWM");
  if (!kilobytes) return std::nullopt;
  return std::stoull(*kilobytes) * 1024;
}

bool forget_peak() {
  std::ofstream file("/proc/self/clear_refs");
  file << '5' << std::flush;
  return file.good();
}

}  // namespace kit::bench
