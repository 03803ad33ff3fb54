#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include <kit/program.h>

namespace kit::program {

/// The constants cannot be read from the program's own file; says why.
struct OwnFileFault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The constants at the end of the shared object that this code is in, mapped and not copied:
///
///     the shared object, padding, constants (each at a multiple of 64), their places, their number,
///     the checksum of all that, the mark KITCONST
///
/// Numbers are little-endian and have 64 bits; a place is two, offset in the file and size. A loader of
/// shared objects ignores what is behind the end. python/kit/extracting.py writes it.
class OwnFile {
 public:
  OwnFile() = default;
  OwnFile(std::size_t count, const std::uint64_t* sizes);
  OwnFile(OwnFile&& other) noexcept;
  OwnFile& operator=(OwnFile&& other) noexcept;
  ~OwnFile();

  const KitConstant* constants() const noexcept { return constants_.data(); }

 private:
  void* mapping_ = nullptr;
  std::size_t size_ = 0;
  std::vector<KitConstant> constants_;
};

}  // namespace kit::program
