#pragma once

#include <string_view>

namespace kit::io {

/// The file formats that hold inputs and outputs.
enum class Format { csv, jsonl, npy, safetensors };

/// "csv", "jsonl", "npy", "safetensors": the name for `--format`, and the extension without its dot.
std::string_view name(Format format) noexcept;

/// Whether a person can read it on a terminal.
bool is_text(Format format) noexcept;

/// The format of that name. Throws a usage error that lists the names if there is none.
Format format_from_name(std::string_view name);

/// The format that the extension of `path` tells, in any case. Throws a usage error that names `option`,
/// the option that tells it instead, if the extension is none of a format's.
Format format_from_path(std::string_view path, std::string_view option);

}  // namespace kit::io
