#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kit {

/// How torch executes a TorchScript program: `profiling` watches the first call of each size and compiles for
/// what it saw, `simple` interprets the graph as it is and compiles nothing.
enum class Executor { profiling, simple };

/// "profiling", "simple".
std::string_view name(Executor executor) noexcept;

/// The executor of that name. Throws a usage error if there is none.
Executor executor_from_name(std::string_view name);

/// How a TorchScript program is run. What is not set follows what the archive recommends, then the default.
/// Each model has its own: models of one process do not disturb each other.
struct Configuration {
  /// Whether chains of pointwise operations become one kernel; by default on CUDA, and not on the CPU, where
  /// libtorch without LLVM interprets such kernels: exactly and very slowly, good for tests alone.
  std::optional<bool> fusion = std::nullopt;
  std::optional<Executor> executor = std::nullopt;  ///< profiling by default; simple fuses nothing
  std::optional<bool> freeze =
      std::nullopt;  ///< whether weights become constants and are folded; false by default
  /// Whether cuDNN may round the float32 inputs of convolutions and recurrent layers to the ten bits of TF32,
  /// in TorchScript and aoti programs on CUDA. Torch's default is that it may, for speed; here it is off, so
  /// that a GPU computes what the model gave on a CPU.
  std::optional<bool> tf32 = std::nullopt;
  /// Within an operation, 1 or more; as the process has by default. A native program divides the rows of
  /// large calls among so many, where they do not depend on one another; 1 by default.
  std::optional<int> threads = std::nullopt;
  std::optional<int> interop_threads =
      std::nullopt;  ///< between operations, 1 or more; a process can set it once
  std::optional<int> static_depth =
      std::nullopt;  ///< for how many sizes a fused kernel of its own is compiled; 2
  std::optional<int> dynamic_depth =
      std::nullopt;  ///< how often one for varying sizes is compiled after that; 10

  /// This, and where it is not set, the other.
  Configuration over(const Configuration& other) const;

  /// "fusion off, profiling executor, not frozen, 1 thread": what is set, in words.
  std::string str() const;

  /// A JSON object of what is set, as the manifest has it under "configuration".
  std::string json() const;

  /// Throws a usage error for numbers out of range, and for fusion with the simple executor.
  void check() const;

  friend bool operator==(const Configuration&, const Configuration&) = default;
};

}  // namespace kit
