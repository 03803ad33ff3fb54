#include "engines/threads.h"

#include <string>

#include <ATen/Parallel.h>
#include <c10/util/Exception.h>

#include <kit/error.h>

// at::set_num_threads also sets what threads that first use torch later will have. These two set the calling
// thread alone; libtorch brings them where it was built with OpenMP and MKL.
extern "C" {
[[gnu::weak]] void omp_set_num_threads(int count);
[[gnu::weak]] int MKL_Set_Num_Threads_Local(int count);
}

namespace kit {
namespace {

void set_threads(int count) {
  if (omp_set_num_threads == nullptr) {
    at::set_num_threads(count);
    return;
  }
  omp_set_num_threads(count);
  if (MKL_Set_Num_Threads_Local != nullptr) MKL_Set_Num_Threads_Local(count);
}

}  // namespace

Threads::Threads(const std::optional<int>& count) {
  if (!count) return;
  const int now = at::get_num_threads();
  if (*count == now) return;
  set_threads(*count);
  before_ = now;
}

Threads::~Threads() {
  if (before_ > 0) set_threads(before_);
}

void set_interop_threads(const std::optional<int>& count) {
  if (!count || static_cast<std::size_t>(*count) == at::get_num_interop_threads()) return;
  try {
    at::set_num_interop_threads(*count);
  } catch (const c10::Error&) {
    throw Error(ErrorCode::unavailable,
                "this process has " + std::to_string(at::get_num_interop_threads()) +
                    " inter-op threads already, which cannot be changed to " + std::to_string(*count) +
                    "; load the model that needs them first, or in a process of its own");
  }
}

}  // namespace kit
