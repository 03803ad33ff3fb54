#include "core/configuration.h"

#include <array>
#include <limits>

#include <kit/error.h>

namespace kit {
namespace {

using fields::Fault;
using fields::Json;

struct Number {
  const char* key;
  std::optional<int> Configuration::*field;
  int least;
  int most;
};

/// Beyond the cores of any host, and before what a process has memory for: each thread has a stack.
constexpr int most_threads = 1024;
constexpr int most = std::numeric_limits<int>::max();

constexpr std::array numbers{
    Number{"threads", &Configuration::threads, 1, most_threads},
    Number{"interop_threads", &Configuration::interop_threads, 1, most_threads},
    Number{"static_depth", &Configuration::static_depth, 0, most},
    Number{"dynamic_depth", &Configuration::dynamic_depth, 0, most},
};

std::optional<bool> flag(const Json& root, const char* key) {
  const auto found = root.find(key);
  if (found == root.end()) return std::nullopt;
  if (!found->is_boolean()) throw Fault(std::string("'") + key + "' of the configuration is no boolean");
  return found->get<bool>();
}

std::string counted(int count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

}  // namespace

std::string_view name(Executor executor) noexcept {
  return executor == Executor::simple ? "simple" : "profiling";
}

Executor executor_from_name(std::string_view wanted) {
  for (const Executor executor : {Executor::profiling, Executor::simple})
    if (name(executor) == wanted) return executor;
  throw Error(ErrorCode::usage,
              "there is no executor '" + std::string(wanted) + "'; give profiling or simple");
}

Configuration Configuration::over(const Configuration& other) const {
  Configuration result = *this;
  if (!result.fusion) result.fusion = other.fusion;
  if (!result.executor) result.executor = other.executor;
  if (!result.freeze) result.freeze = other.freeze;
  if (!result.tf32) result.tf32 = other.tf32;
  for (const Number& number : numbers)
    if (!(result.*number.field)) result.*number.field = other.*number.field;
  return result;
}

std::string Configuration::str() const {
  std::string text;
  const auto add = [&](const std::string& clause) { text += (text.empty() ? "" : ", ") + clause; };
  if (fusion) add(*fusion ? "fusion on" : "fusion off");
  if (executor) add(std::string(name(*executor)) + " executor");
  if (freeze) add(*freeze ? "frozen" : "not frozen");
  if (tf32) add(*tf32 ? "TF32 on" : "TF32 off");
  if (static_depth && fusion.value_or(true)) add("static depth " + std::to_string(*static_depth));
  if (dynamic_depth && fusion.value_or(true)) add("dynamic depth " + std::to_string(*dynamic_depth));
  if (threads) add(counted(*threads, "thread"));
  if (interop_threads) add(counted(*interop_threads, "inter-op thread"));
  return text;
}

std::string Configuration::json() const {
  Json root = Json::object();
  if (fusion) root["fusion"] = *fusion;
  if (executor) root["executor"] = name(*executor);
  if (freeze) root["freeze"] = *freeze;
  if (tf32) root["tf32"] = *tf32;
  for (const Number& number : numbers)
    if (const std::optional<int>& value = this->*number.field) root[number.key] = *value;
  return root.dump();
}

void Configuration::check() const {
  for (const Number& number : numbers) {
    const std::optional<int>& value = this->*number.field;
    if (!value || (*value >= number.least && *value <= number.most)) continue;
    const std::string wanted = *value < number.least ? std::to_string(number.least) + " or more"
                                                     : std::to_string(number.most) + " or less";
    throw Error(ErrorCode::usage,
                std::string(number.key) + " is " + std::to_string(*value) + "; give " + wanted);
  }
  if (fusion.value_or(false) && executor == Executor::simple)
    throw Error(ErrorCode::usage,
                "the simple executor fuses nothing; leave fusion off, or give the profiling executor");
}

Configuration read_configuration(const Json& root) {
  Configuration result;
  const auto found = root.find("configuration");
  if (found == root.end()) return result;
  const Json& object = fields::object(*found, "'configuration'");
  result.fusion = flag(object, "fusion");
  result.freeze = flag(object, "freeze");
  result.tf32 = flag(object, "tf32");
  if (object.contains("executor")) {
    try {
      result.executor = executor_from_name(fields::text(object, "executor", "the configuration"));
    } catch (const Error& error) {
      throw Fault(error.what());
    }
  }
  for (const Number& number : numbers) {
    if (!object.contains(number.key)) continue;
    const std::int64_t value =
        fields::count(object[number.key], std::string("'") + number.key + "' of the configuration");
    if (value > std::numeric_limits<int>::max())
      throw Fault(std::string("'") + number.key + "' of the configuration is too large");
    result.*number.field = static_cast<int>(value);
  }
  try {
    result.check();
  } catch (const Error& error) {
    throw Fault(error.what());
  }
  return result;
}

}  // namespace kit
