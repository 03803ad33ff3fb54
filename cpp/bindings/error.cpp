#include "bind.h"

namespace kit {
namespace {

/// The class of kit.errors whose exit code is that of the error.
const char* class_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::internal:
      return "InternalError";
    case ErrorCode::usage:
      return "UsageError";
    case ErrorCode::archive:
      return "ArchiveError";
    case ErrorCode::input:
      return "InputError";
    case ErrorCode::parity:
      return "ParityError";
    case ErrorCode::unavailable:
      return "UnavailableError";
    case ErrorCode::trace:
      return "TraceError";
  }
  return "InternalError";
}

}  // namespace

void bind_errors(py::module_& /*module*/) {
  py::register_local_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const Error& error) {
      const py::object type = py::module_::import("kit.errors").attr(class_name(error.code()));
      PyErr_SetString(type.ptr(), error.what());
    }
  });
}

}  // namespace kit
