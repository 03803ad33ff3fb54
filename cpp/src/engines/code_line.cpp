#include "engines/code_line.h"

namespace kit {
namespace {

/// The text of a line of the source. Where a Python trace was recorded, torch keeps the stack of calls in
/// place of the text: "model.py(7): forward".
std::string text_of(const torch::jit::SourceRange& range, const std::string& file) {
  torch::jit::Source& source = *range.source();
  std::string text = source.get_line(source.lineno_for_offset(range.start())).str();
  text.erase(text.find_last_not_of(" \r\n") + 1);
  text.erase(0, text.find_first_not_of(' '));
  return text.starts_with(file + "(") ? "" : text;
}

}  // namespace

std::optional<CodeLine> code_line(const torch::jit::Node& node) {
  torch::jit::SourceRange range = node.sourceRange();
  // An archive of torch's own tells of the Python source; one of kit's holds its own code alone.
  if (const auto generated = range.findSourceRangeThatGenerated()) range = *generated;
  const auto place = range.file_line_col();
  if (!place) return std::nullopt;
  const auto& [file, line, column] = *place;
  if (file.empty() || line == 0) return std::nullopt;  // made by the compiler
  return CodeLine{.file = file, .line = static_cast<int>(line), .text = text_of(range, file)};
}

}  // namespace kit
