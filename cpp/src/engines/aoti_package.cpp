#include "engines/aoti_package.h"

#include <dlfcn.h>

#include <fstream>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "engines/aoti_constants.h"
#include "engines/package_folder.h"
#include "engines/torch_call.h"

namespace kit {
namespace {

// As python/kit/programs/aoti.py names them.
constexpr auto stem = "/data/aotinductor/model/model.wrapper";

AotiPackage::Metadata read_metadata(const std::string& path) {
  std::ifstream file(path);
  return nlohmann::json::parse(file).get<AotiPackage::Metadata>();
}

}  // namespace

AotiPackage::AotiPackage(const ByteReader::Pieces& package, const std::string& contents, at::Device device,
                         std::size_t calls) {
  const std::string kind = c10::DeviceTypeName(device.type(), /*lower_case=*/true);
  const auto& runners = torch::inductor::getAOTIModelRunnerRegistry();
  const auto make = runners.find(kind);
  if (make == runners.end()) throw std::runtime_error("it has nothing that runs packages on " + kind);
  const PackageFolder folder(package, contents, weights_record);
  const std::string path = folder.path() + stem;
  metadata_ = read_metadata(path + "_metadata.json");
  runner_ = make->second(path + ".so", calls, device.str(), folder.path(), /*run_single_threaded=*/false);
  if (const auto table = metadata_.find("kit_constants"); table != metadata_.end()) {
    constants_ = constants_of(package, table->second, runner_->getConstantNamesToDtypes());
    runner_->update_constant_buffer(constants_, /*use_inactive=*/false, /*validate_full_updates=*/true,
                                    /*user_managed=*/true);
  }
  // It is loaded, and stays so as long as the runner is there.
  if (void* const library = ::dlopen((path + ".so").c_str(), RTLD_LAZY | RTLD_NOLOAD); library != nullptr) {
    take_error_ = reinterpret_cast<const char* (*)()>(::dlsym(library, "kit_take_error"));
    ::dlclose(library);
  }
}

std::string AotiPackage::reason(const std::exception& error) const {
  const std::string taken = take_error_ == nullptr ? "" : take_error_();
  return taken.empty() ? summary(error) : taken.substr(0, taken.find('\n'));
}

}  // namespace kit
