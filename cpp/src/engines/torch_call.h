#pragma once

#include <exception>
#include <string>

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

#include <kit/device.h>
#include <kit/error.h>

namespace kit {

/// The one line of libtorch's message that says what was wrong: the last that names an error, where the
/// interpreter put its own traceback around it, else the first.
std::string summary(const std::exception& error);

/// The device as libtorch knows it, ready to compile for. Throws an unavailable error if the host does not
/// have it.
at::Device find_device(const Device& device);

/// The output on the device `home`, in memory that is neither an input's nor the program's.
at::Tensor detached(const at::Tensor& tensor, at::Device home);

/// What libtorch throws, as errors of kit's.
template <typename Call>
auto guarded(const Call& call) {
  try {
    return call();
  } catch (const Error&) {
    throw;
  } catch (const c10::OutOfMemoryError& error) {
    throw Error(ErrorCode::unavailable, "out of memory: " + summary(error) + "; give a smaller batch");
  } catch (const std::exception& error) {
    throw Error(ErrorCode::input, "the model cannot compute these inputs: " + summary(error));
  }
}

}  // namespace kit
