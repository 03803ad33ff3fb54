#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace kit::bench {

/// A call of a C function that is known by its address alone: that of another runtime, which its Python
/// package has brought along as a shared object, set up with Python's ctypes. So it is timed in C++ without
/// its headers, and without a compiler.
struct CCall {
  std::uintptr_t function = 0;
  std::vector<std::uintptr_t> arguments;  ///< 1 to 8 pointers or whole numbers
  bool gives_pointer = false;             ///< it returns a pointer, else an int; 0 or null if it worked

  /// What does the call. It throws an internal error if the function returns anything but 0. The memory
  /// that the arguments point to is the caller's, and must outlive it. Throws a usage error where there is
  /// no function, and for too few or too many arguments.
  std::function<void()> bound() const;
};

}  // namespace kit::bench
