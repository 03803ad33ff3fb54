#include "io/format.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <optional>
#include <string>

#include <kit/error.h>

namespace kit::io {

namespace {

constexpr std::array formats = {Format::csv, Format::jsonl, Format::npy, Format::safetensors};

std::optional<Format> find(std::string_view text) {
  for (const Format format : formats)
    if (name(format) == text) return format;
  return std::nullopt;
}

}  // namespace

std::string_view name(Format format) noexcept {
  switch (format) {
    case Format::csv:
      return "csv";
    case Format::jsonl:
      return "jsonl";
    case Format::npy:
      return "npy";
    case Format::safetensors:
      return "safetensors";
  }
  return "?";
}

bool is_text(Format format) noexcept { return format == Format::csv || format == Format::jsonl; }

Format format_from_name(std::string_view name) {
  if (const auto format = find(name)) return *format;
  throw Error(ErrorCode::usage,
              "there is no format '" + std::string(name) + "'; take csv, jsonl, npy or safetensors");
}

Format format_from_path(std::string_view path, std::string_view option) {
  std::string extension = std::filesystem::path(path).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (!extension.empty()) {
    if (const auto format = find(std::string_view(extension).substr(1))) return *format;
  }
  throw Error(ErrorCode::usage, "the name '" + std::string(path) + "' does not tell its format; say " +
                                    std::string(option) + " csv, jsonl, npy or safetensors");
}

}  // namespace kit::io
