#include "engines/aoti_weights.h"

#include <sstream>
#include <vector>

#include <ATen/MemoryOverlap.h>
#include <ATen/ops/all.h>
#include <ATen/ops/clone.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/isclose.h>

#include <kit/torch.h>

namespace kit {
namespace {

using Names = std::vector<std::string>;

/// The names of each weight: a line each, with tabs between them, as python/kit/programs/aoti.py writes them.
std::vector<Names> names_of_weights(const AotiPackage::Metadata& metadata, const std::string& where) {
  const auto found = metadata.find("kit_weights");
  if (found == metadata.end())
    throw Error(ErrorCode::unavailable,
                where +
                    ": the weights of the program are compiled in and cannot be replaced; export the model "
                    "with this program not frozen");
  std::vector<Names> result;
  std::istringstream lines(found->second);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream names(line);
    result.emplace_back();
    for (std::string name; std::getline(names, name, '\t');) result.back().push_back(name);
  }
  return result;
}

/// The name that a weight has in the model itself.
std::string own_name(const std::string& name, const std::string& root) {
  return name.starts_with(root) ? name.substr(root.size()) : name;
}

/// A copy with the same sizes and strides, which begins where its memory does.
at::Tensor compact(const at::Tensor& constant) {
  std::int64_t reach = constant.numel() == 0 ? 0 : 1;
  for (std::int64_t dim = 0; reach > 0 && dim < constant.dim(); ++dim)
    reach += (constant.size(dim) - 1) * constant.stride(dim);
  return constant.as_strided({reach}, {1}).clone().as_strided(constant.sizes(), constant.strides(), 0);
}

/// The weight as a tensor of the constant's layout and device.
at::Tensor like(const at::Tensor& constant, const at::Tensor& weight, const std::string& name,
                const std::string& where) {
  if (weight.scalar_type() != constant.scalar_type() || weight.sizes() != constant.sizes())
    throw Error(ErrorCode::input, where + ": weight '" + name + "': wanted " + from_torch(constant).str() +
                                      ", came " + from_torch(weight).str() +
                                      "; save the weights of the model that was exported");
  at::Tensor result = compact(constant);
  if (at::has_internal_overlap(result) == at::MemOverlap::No) return result.copy_(weight);
  // Elements that are one in memory: written one dim after the other, and read again.
  at::Tensor to = result, from = weight;
  for (std::int64_t dim = 0; dim < to.dim(); ++dim)
    if (to.stride(dim) == 0 && to.size(dim) > 0) to = to.narrow(dim, 0, 1), from = from.narrow(dim, 0, 1);
  to.copy_(from);
  if (!at::isclose(result, weight, 0, 0, /*equal_nan=*/true).all().item<bool>())
    throw Error(ErrorCode::input, where + ": weight '" + name +
                                      "' has elements that differ, which are one in the model that was "
                                      "exported; export the model again with this weight contiguous");
  return result;
}

}  // namespace

std::unordered_map<std::string, at::Tensor> new_constants(const AotiPackage& package,
                                                          const std::map<std::string, Tensor>& weights,
                                                          const std::string& where) {
  const AotiPackage::Metadata& metadata = package.metadata();
  const auto constants = package.runner().extract_constants_map(false);
  std::unordered_map<std::string, at::Tensor> by_name;
  std::map<std::string, Tensor> left = weights;
  const std::vector<Names> all_names = names_of_weights(metadata, where);
  const std::string& root = metadata.at("kit_root");
  for (const Names& names : all_names) {
    std::string first;  // under which it was given
    at::Tensor given;
    for (const std::string& name : names) {
      const auto found = left.find(own_name(name, root));
      if (found == left.end()) continue;
      const at::Tensor tensor = to_torch(found->second);
      if (given.defined() && !(tensor.scalar_type() == given.scalar_type() && tensor.equal(given)))
        throw Error(ErrorCode::input, where + ": the weights '" + first + "' and '" + found->first +
                                          "' are one tensor in the model, and differ here; give one of them");
      if (!given.defined()) first = found->first;
      given = tensor;
      left.erase(found);
    }
    for (const std::string& name : names) {
      const auto constant = constants.find(name);
      if (constant == constants.end()) continue;  // it is not used, or under another of its names
      if (!given.defined())
        throw Error(ErrorCode::input, where + ": the weight '" + own_name(name, root) +
                                          "' is missing; save all weights of the model that was exported");
      by_name.emplace(name, like(constant->second, given, first, where));
    }
  }
  if (!left.empty())
    throw Error(ErrorCode::input, where + ": the model has no weight '" + left.begin()->first +
                                      "'; save the weights of the model that was exported");
  std::unordered_map<std::string, at::Tensor> result;
  for (const auto& [in_code, name] : package.runner().getConstantNamesToOriginalFQNs()) {
    const auto found = by_name.find(name);
    // Those that stay are given anew, too: torch copies them to the wrong place where they have an offset.
    result.emplace(in_code, found != by_name.end() ? found->second : compact(constants.at(name)));
  }
  return result;
}

}  // namespace kit
