#include "engines/package_folder.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <map>
#include <system_error>

#include <caffe2/serialize/inline_container.h>

#include "engines/byte_reader.h"

namespace kit {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const char* what, const fs::path& path, int error) {
  throw fs::filesystem_error(what, path, std::error_code(error, std::generic_category()));
}

void write(const fs::path& path, const void* data, std::size_t size) {
  fs::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
  file.close();
  if (!file) refuse("cannot be written", path, errno);
}

}  // namespace

std::shared_ptr<PackageFolder::Place> PackageFolder::place_of(const std::string& contents) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<Place>> places;
  const std::lock_guard lock(mutex);
  std::shared_ptr<Place>& place = places[contents];
  if (place == nullptr) place = std::make_shared<Place>();
  return place;
}

PackageFolder::PackageFolder(ByteReader::Pieces package, const std::string& contents,
                             const std::string& without)
    : place_(place_of(contents)), lock_(place_->mutex) {
  make();
  try {
    caffe2::serialize::PyTorchStreamReader reader(std::make_shared<ByteReader>(std::move(package)));
    for (const std::string& name : reader.getAllRecords()) {
      if (name == without) continue;
      const auto [data, size] = reader.getRecord(name);
      write(place_->path / fs::path(name).relative_path().lexically_normal(), data.get(), size);
    }
  } catch (...) {
    remove();
    throw;
  }
}

PackageFolder::~PackageFolder() { remove(); }

/// Where it was before; or at a new place, if that is another's by now, or is no longer for temporary files.
void PackageFolder::make() {
  fs::path& path = place_->path;
  const fs::path parent = fs::temp_directory_path();
  if (path.parent_path() == parent && ::mkdir(path.c_str(), S_IRWXU) == 0) return;
  std::string pattern = parent / "kit-program-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) refuse("cannot be made", pattern, errno);
  path = pattern;
}

void PackageFolder::remove() noexcept {
  std::error_code ignored;  // there is nobody to tell
  fs::remove_all(place_->path, ignored);
}

}  // namespace kit
