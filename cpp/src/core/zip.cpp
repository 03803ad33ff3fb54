#include "core/zip.h"

#include <set>

#include <kit/error.h>

namespace kit::zip {
namespace {

constexpr std::uint32_t local_signature = 0x04034b50;
constexpr std::uint32_t central_signature = 0x02014b50;
constexpr std::uint32_t end_signature = 0x06054b50;
constexpr std::uint32_t end64_signature = 0x06064b50;
constexpr std::uint32_t locator_signature = 0x07064b50;
constexpr std::uint64_t end_size = 22;
constexpr std::uint64_t end64_size = 56;
constexpr std::uint64_t locator_size = 20;
constexpr std::uint64_t central_size = 46;
constexpr std::uint64_t local_size = 30;
constexpr std::uint16_t zip64_field = 0x0001;
constexpr std::uint32_t in_zip64 = 0xffffffff;
constexpr std::uint32_t regular_file = 0x81a40000;  // Unix mode 0100644 in the upper half, no DOS attribute

/// Reads little-endian numbers, never beyond the end.
class Bytes {
 public:
  Bytes(std::span<const std::byte> file, const std::string& where) : file_(file), where_(where) {}

  [[noreturn]] void refuse(const std::string& reason) const {
    throw Error(ErrorCode::archive, where_ + ": damaged archive: " + reason + "; copy or export it again");
  }

  std::span<const std::byte> at(std::uint64_t offset, std::uint64_t size) const {
    if (offset > file_.size() || size > file_.size() - offset) refuse("it is cut short");
    return file_.subspan(offset, size);
  }

  template <typename T>
  T number(std::uint64_t offset) const {
    std::uint64_t value = 0;
    const auto bytes = at(offset, sizeof(T));
    for (std::size_t i = sizeof(T); i-- > 0;) value = (value << 8) | std::to_integer<std::uint64_t>(bytes[i]);
    return static_cast<T>(value);
  }

  std::string text(std::uint64_t offset, std::uint64_t size) const {
    const auto bytes = at(offset, size);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  std::uint64_t size() const { return file_.size(); }

 private:
  std::span<const std::byte> file_;
  const std::string& where_;
};

struct End {
  std::uint64_t entries = 0;
  std::uint64_t size = 0;
  std::uint64_t offset = 0;
  std::uint64_t directory_end = 0;
};

/// The record that closes the file; zip64's, where there is one, sits right before it.
End read_end(const Bytes& bytes, const std::string& where) {
  if (bytes.size() < end_size || bytes.number<std::uint32_t>(0) != local_signature)
    throw Error(ErrorCode::archive, where + ": not an archive; write one with python -m kit.export");
  const std::uint64_t at = bytes.size() - end_size;
  if (bytes.number<std::uint32_t>(at) != end_signature)
    bytes.refuse("it is cut short, or has bytes behind its end");
  if (bytes.number<std::uint32_t>(at + 4) != 0 || bytes.number<std::uint16_t>(at + 20) != 0)
    bytes.refuse("its end record is wrong");
  End end{bytes.number<std::uint16_t>(at + 10), bytes.number<std::uint32_t>(at + 12),
          bytes.number<std::uint32_t>(at + 16), at};
  const std::uint16_t on_this_disk = bytes.number<std::uint16_t>(at + 8);
  if (on_this_disk != end.entries) bytes.refuse("its end record is wrong");

  if (at >= locator_size + end64_size &&
      bytes.number<std::uint32_t>(at - locator_size) == locator_signature) {
    const std::uint64_t at64 = at - locator_size - end64_size;
    if (bytes.number<std::uint64_t>(at - locator_size + 8) != at64 ||
        bytes.number<std::uint32_t>(at64) != end64_signature)
      bytes.refuse("its zip64 end record is wrong");
    const End wide{bytes.number<std::uint64_t>(at64 + 32), bytes.number<std::uint64_t>(at64 + 40),
                   bytes.number<std::uint64_t>(at64 + 48), at64};
    const bool agree = bytes.number<std::uint64_t>(at64 + 24) == wide.entries &&
                       (end.entries == 0xffff || end.entries == wide.entries) &&
                       (end.size == in_zip64 || end.size == wide.size) &&
                       (end.offset == in_zip64 || end.offset == wide.offset);
    if (!agree) bytes.refuse("its two end records disagree");
    end = wide;
  }
  if (end.offset > end.directory_end || end.directory_end - end.offset != end.size)
    bytes.refuse("its directory is not where its end record says");
  return end;
}

/// Takes the 64-bit values of a zip64 extra field for those that did not fit 32 bits.
void widen(const Bytes& bytes, std::uint64_t extra, std::uint64_t extra_size, Entry& entry) {
  if (entry.size != in_zip64 && entry.stored_size != in_zip64 && entry.local_header != in_zip64) return;
  const std::uint64_t end = extra + extra_size;
  while (extra + 4 <= end) {
    const auto id = bytes.number<std::uint16_t>(extra);
    const std::uint64_t field_end = extra + 4 + bytes.number<std::uint16_t>(extra + 2);
    if (field_end > end) break;
    if (id == zip64_field) {
      std::uint64_t at = extra + 4;
      for (std::uint64_t* value : {&entry.size, &entry.stored_size, &entry.local_header}) {
        if (*value != in_zip64) continue;
        if (at + 8 > field_end) bytes.refuse("the zip64 sizes of '" + entry.name + "' are missing");
        *value = bytes.number<std::uint64_t>(at);
        at += 8;
      }
      return;
    }
    extra = field_end;
  }
}

/// Reads the header at `at` into `entry`; returns where the next one starts.
std::uint64_t read_central(const Bytes& bytes, std::uint64_t at, Entry& entry) {
  if (bytes.number<std::uint32_t>(at) != central_signature) bytes.refuse("its directory is wrong");
  entry.version = bytes.number<std::uint16_t>(at + 6);
  entry.flags = bytes.number<std::uint16_t>(at + 8);
  entry.method = bytes.number<std::uint16_t>(at + 10);
  entry.timestamp = bytes.number<std::uint32_t>(at + 12);
  entry.crc32 = bytes.number<std::uint32_t>(at + 16);
  entry.stored_size = bytes.number<std::uint32_t>(at + 20);
  entry.size = bytes.number<std::uint32_t>(at + 24);
  const std::uint64_t name_size = bytes.number<std::uint16_t>(at + 28);
  const std::uint64_t extra_size = bytes.number<std::uint16_t>(at + 30);
  const std::uint64_t comment_size = bytes.number<std::uint16_t>(at + 32);
  if (bytes.number<std::uint16_t>(at + 34) != 0) bytes.refuse("it is one part of several");
  entry.internal_attributes = bytes.number<std::uint16_t>(at + 36);
  entry.external_attributes = bytes.number<std::uint32_t>(at + 38);
  entry.local_header = bytes.number<std::uint32_t>(at + 42);
  entry.name = bytes.text(at + central_size, name_size);
  widen(bytes, at + central_size + name_size, extra_size, entry);
  return at + central_size + name_size + extra_size + comment_size;
}

/// Checks the local header against the central one; returns where the contents start.
std::uint64_t check_local(const Bytes& bytes, const Entry& entry) {
  const std::uint64_t at = entry.local_header;
  if (bytes.number<std::uint32_t>(at) != local_signature) bytes.refuse("'" + entry.name + "' has no header");
  const std::uint64_t name_size = bytes.number<std::uint16_t>(at + 26);
  const std::uint64_t extra_size = bytes.number<std::uint16_t>(at + 28);
  Entry local;
  local.name = bytes.text(at + local_size, name_size);
  local.stored_size = bytes.number<std::uint32_t>(at + 18);
  local.size = bytes.number<std::uint32_t>(at + 22);
  widen(bytes, at + local_size + name_size, extra_size, local);
  const bool agree = local.name == entry.name && local.stored_size == entry.stored_size &&
                     local.size == entry.size && bytes.number<std::uint16_t>(at + 4) == entry.version &&
                     bytes.number<std::uint16_t>(at + 6) == entry.flags &&
                     bytes.number<std::uint16_t>(at + 8) == entry.method &&
                     bytes.number<std::uint32_t>(at + 10) == entry.timestamp &&
                     bytes.number<std::uint32_t>(at + 14) == entry.crc32;
  if (!agree) bytes.refuse("the two headers of '" + entry.name + "' disagree");
  return at + local_size + name_size + extra_size;
}

}  // namespace

Directory read_directory(std::span<const std::byte> file, const std::string& where) {
  const Bytes bytes(file, where);
  const End end = read_end(bytes, where);
  Directory directory;
  directory.offset = end.offset;
  std::set<std::string> names;
  std::uint64_t at = end.offset;
  while (at < end.directory_end) {
    Entry entry;
    at = read_central(bytes, at, entry);
    if (!names.insert(entry.name).second) bytes.refuse("the member '" + entry.name + "' is there twice");
    directory.entries.push_back(std::move(entry));
  }
  if (at != end.directory_end || directory.entries.size() != end.entries)
    bytes.refuse("its directory does not have the number of members that its end record says");
  return directory;
}

std::vector<std::span<const std::byte>> read_contents(std::span<const std::byte> file,
                                                      const Directory& directory, const std::string& where) {
  const Bytes bytes(file, where);
  std::vector<std::span<const std::byte>> contents;
  std::uint64_t covered = 0;
  for (const Entry& entry : directory.entries) {
    // Flag bit 11 says that the name is UTF-8; any other changes how the contents are to be read.
    // An attribute matters too: libtorch takes an entry with that of a DOS directory for empty.
    if (entry.method != 0 || (entry.flags & ~0x0800U) != 0 || entry.stored_size != entry.size ||
        entry.internal_attributes != 0 || entry.external_attributes != regular_file)
      bytes.refuse("the member '" + entry.name + "' is not a plainly stored file");
    if (entry.local_header != covered) bytes.refuse("there is a gap before the member '" + entry.name + "'");
    const std::uint64_t start = check_local(bytes, entry);
    contents.push_back(bytes.at(start, entry.size));
    covered = start + entry.size;
  }
  if (covered != directory.offset) bytes.refuse("there is a gap before its directory");
  return contents;
}

}  // namespace kit::zip
