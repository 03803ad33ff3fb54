#pragma once

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include <kit/configuration.h>
#include <kit/verify.h>

namespace kit::predictor {

/// The outcome of one method of one program: a report, or why it cannot run here.
struct Outcome {
  std::string engine;
  std::string target;
  std::string method;
  Report report = {};
  std::string unavailable = {};  ///< why it was not run, or ""
  bool failed = false;           ///< to load, although this host should be able to run it
  Configuration configuration = {};
  bool noted = false;                                   ///< that it is verified, on this host from now on
  std::optional<std::string> not_noted = std::nullopt;  ///< why that could not be noted
};

/// "torchscript", "native for x86-64-v3", or "torchscript, method encode" where there are others.
std::string title(const Outcome& outcome, bool several);

/// A table of all results, with the outcome below it.
std::string table(const Outcome& outcome, bool several);

nlohmann::json json_of(const Outcome& outcome);

}  // namespace kit::predictor
