#include "engines/aoti_package.h"

#include <dlfcn.h>

#include <fstream>
#include <stdexcept>

#include <nlohmann/json.hpp>
#include <torch/csrc/inductor/aoti_runtime/interface.h>
#include <torch/csrc/inductor/aoti_torch/c/shim.h>

#include "engines/aoti_constants.h"
#include "engines/package_folder.h"
#include "engines/torch_call.h"

namespace kit {
namespace {

// As python/kit/programs/aoti.py names them.
constexpr auto stem = "/data/aotinductor/model/model.wrapper";

/// What the runner has for the code in its library.
struct Container : AotiPackage::Runner {
  static AOTInductorModelContainerHandle of(const AotiPackage::Runner& runner) {
    return runner.*(&Container::container_handle_);
  }
};

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
  // It is loaded, and stays so as long as the runner is there.
  void* const library = ::dlopen((path + ".so").c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (library == nullptr) throw std::runtime_error(path + ".so is not loaded");
  take_error_ = reinterpret_cast<const char* (*)()>(::dlsym(library, "kit_take_error"));
  const auto extract = reinterpret_cast<decltype(&AOTInductorModelContainerExtractConstantsMap)>(
      ::dlsym(library, "AOTInductorModelContainerExtractConstantsMap"));
  ::dlclose(library);
  const auto table = metadata_.find("kit_constants");
  if (table == metadata_.end()) return;
  constants_ = constants_of(package, table->second, runner_->getConstantNamesToDtypes());
  runner_->update_constant_buffer(constants_, /*use_inactive=*/false, /*validate_full_updates=*/true,
                                  /*user_managed=*/true);
  std::unordered_map<std::string, AtenTensorHandle> made;
  if (extract == nullptr ||
      extract(Container::of(*runner_), reinterpret_cast<AOTInductorConstantMapHandle>(&made),
              /*use_inactive=*/false) != AOTI_RUNTIME_SUCCESS)
    throw std::runtime_error("it does not tell its constants");
  for (const auto& [name, handle] : made) handles_.push_back(handle);
}

AotiPackage::~AotiPackage() {
  runner_.reset();
  for (AtenTensorHandle handle : handles_) aoti_torch_delete_tensor_object(handle);
}

std::string AotiPackage::reason(const std::exception& error) const {
  const std::string taken = take_error_ == nullptr ? "" : take_error_();
  return taken.empty() ? summary(error) : taken.substr(0, taken.find('\n'));
}

}  // namespace kit
