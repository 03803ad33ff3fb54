#pragma once

#include <stdexcept>
#include <string>

namespace kit {

/// What kind of failure this is. The value is the exit code of `predictor` and of `python -m kit`.
enum class ErrorCode {
  internal = 1,     ///< a fault of kit itself
  usage = 2,        ///< the command line, or an option, is wrong
  archive = 3,      ///< not an archive, damaged, or of a newer format
  input = 4,        ///< an input does not fit the signature
  parity = 5,       ///< outputs differ from the golden cases, or from the signature
  unavailable = 6,  ///< this host lacks the engine, the device, or room on the disk
  trace = 7,        ///< the model cannot be traced faithfully
};

/// The only exception that kit throws. `what()` is one sentence for a person: what went wrong, where
/// (the path, the input, the line), and what to do about it.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}

  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace kit
