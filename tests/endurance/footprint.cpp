#include "endurance/footprint.h"

#include <malloc.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace kit::endurance {
namespace {

namespace fs = std::filesystem;

std::int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::int64_t size = 0;
  std::int64_t resident = 0;
  file >> size >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

std::int64_t count_lines(const char* path) {
  std::ifstream file(path);
  std::int64_t lines = 0;
  for (std::string line; std::getline(file, line);) ++lines;
  return lines;
}

template <typename Iterator>
std::int64_t count_entries(const fs::path& path) {
  std::int64_t entries = 0;
  // Others may remove theirs meanwhile.
  std::error_code ignored;
  for (Iterator entry(path, fs::directory_options::skip_permission_denied, ignored); entry != Iterator();
       entry.increment(ignored))
    ++entries;
  return entries;
}

}  // namespace

Footprint Footprint::now() {
  // What is free in the heap, but not yet the system's again, is not held.
  ::malloc_trim(0);
  Footprint result;
  result.descriptors = count_entries<fs::directory_iterator>("/proc/self/fd");
  result.files = count_entries<fs::recursive_directory_iterator>(fs::temp_directory_path());
  result.mappings = count_lines("/proc/self/maps");
  result.resident = resident_bytes();
  return result;
}

std::string Footprint::json() const {
  return "{\"resident\": " + std::to_string(resident) + ", \"mappings\": " + std::to_string(mappings) +
         ", \"descriptors\": " + std::to_string(descriptors) + ", \"files\": " + std::to_string(files) + "}";
}

}  // namespace kit::endurance
