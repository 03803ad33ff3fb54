#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace kit::zip {

/// One entry of a zip file's central directory.
/// Format: PKWARE APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.
struct Entry {
  std::string name;  ///< with the folder
  std::uint16_t version = 0;
  std::uint16_t flags = 0;
  std::uint16_t method = 0;  ///< 0: stored
  std::uint32_t timestamp = 0;
  std::uint32_t crc32 = 0;
  std::uint16_t internal_attributes = 0;
  std::uint32_t external_attributes = 0;
  std::uint64_t stored_size = 0;   ///< bytes in the file
  std::uint64_t size = 0;          ///< bytes of the contents
  std::uint64_t local_header = 0;  ///< offset of the entry's local header
};

struct Directory {
  std::vector<Entry> entries;  ///< in the order of the central directory
  std::uint64_t offset = 0;    ///< where the central directory starts
};

/// Reads the central directory. Throws an archive error that names `where` if the bytes are no zip file,
/// the file is cut short, or a name stands twice.
Directory read_directory(std::span<const std::byte> file, const std::string& where);

/// The contents of each entry of a file in which nothing is left open: every entry is a stored regular file,
/// local and central headers agree, and headers and contents follow one another without a gap from the first
/// byte to the central directory. So every reader of the file finds the same contents in it. Throws an
/// archive error that names `where` if the file is not of this form.
std::vector<std::span<const std::byte>> read_contents(std::span<const std::byte> file,
                                                      const Directory& directory, const std::string& where);

}  // namespace kit::zip
