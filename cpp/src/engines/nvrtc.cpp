#include "engines/nvrtc.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <mutex>
#include <system_error>

namespace kit {
namespace {

/// It is what loads NVRTC.
constexpr auto loads_nvrtc = "libtorch_cpu.so";
constexpr auto builtins = "libnvrtc-builtins.so.";

}  // namespace

std::vector<std::string> folders_of_library(const char* library) {
  void* const handle = ::dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
  if (handle == nullptr) return {};
  std::vector<std::string> folders;
  Dl_serinfo size{};
  if (::dlinfo(handle, RTLD_DI_SERINFOSIZE, &size) == 0) {
    std::vector<std::byte> memory(size.dls_size);
    auto* const info = reinterpret_cast<Dl_serinfo*>(memory.data());
    info->dls_size = size.dls_size;
    info->dls_cnt = size.dls_cnt;
    if (::dlinfo(handle, RTLD_DI_SERINFO, info) == 0)
      for (unsigned i = 0; i < info->dls_cnt; ++i) folders.emplace_back(info->dls_serpath[i].dls_name);
  }
  ::dlclose(handle);
  return folders;
}

std::vector<std::string> find_nvrtc_builtins(const std::vector<std::string>& folders) {
  for (const std::string& folder : folders) {
    std::vector<std::string> found;
    std::error_code none;  // many of the folders are not there
    for (const auto& entry : std::filesystem::directory_iterator(folder, none))
      if (entry.path().filename().string().starts_with(builtins)) found.push_back(entry.path().string());
    std::sort(found.begin(), found.end());
    if (!found.empty()) return found;
  }
  return {};
}

void load_nvrtc_builtins() {
  static std::once_flag once;
  // What cannot be loaded is left out: NVRTC says so if it is what it needs.
  std::call_once(once, [] {
    for (const std::string& path : find_nvrtc_builtins(folders_of_library(loads_nvrtc)))
      ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  });
}

}  // namespace kit
