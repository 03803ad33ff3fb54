#include <algorithm>
#include <cstddef>

#include <kit/fusion.h>

namespace kit {
namespace {

constexpr std::size_t margin = 15;      // of what stands under a heading
constexpr std::size_t most_places = 3;  // that are named for operations of one kind

std::string pad(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

std::string counted(std::int64_t count, const std::string& one, const std::string& several) {
  return std::to_string(count) + " " + (count == 1 ? one : several);
}

/// "batch 2", "batch 2, length 7"; "fixed" for a model without dims.
std::string sizes_of(const std::map<std::string, std::int64_t>& sizes) {
  std::string text;
  for (const auto& [dim, size] : sizes) text += (text.empty() ? "" : ", ") + dim + " " + std::to_string(size);
  return text.empty() ? "fixed" : text;
}

std::string place(const CodeLine& line) { return line.file + ":" + std::to_string(line.line); }

class Table {
 public:
  /// A line, with its heading, or under that of the line before.
  void add(const std::string& heading, const std::string& line) {
    text_ += pad(heading, margin) + line + "\n";
  }

  /// Generated code, indented.
  void add_code(const std::string& code) {
    for (std::size_t at = 0; at < code.size();) {
      const std::size_t end = std::min(code.find('\n', at), code.size());
      if (end > at) text_ += std::string(margin, ' ') + "| " + code.substr(at, end - at) + "\n";
      at = end + 1;
    }
  }

  std::string text() const { return text_; }

 private:
  std::string text_;
};

void add_head(Table& table, const FusionReport& report) {
  table.add("method", report.method);
  std::string sizes;
  for (const auto& one : report.sizes) sizes += (sizes.empty() ? "" : "; ") + sizes_of(one);
  table.add("sizes", sizes);
  table.add("device", report.device + ", torch " + report.torch);
  table.add("configuration", report.configuration.str());
  table.add("calls", std::to_string(report.calls) + ", in which " +
                         counted(report.compilations, "graph was compiled", "graphs were compiled"));
}

void add_group(Table& table, const FusionGroup& group, std::size_t index, bool source) {
  std::string line = group.name + ", for " + (group.dynamic ? "varying sizes" : "one size");
  if (group.instead_of) line += ", in place of group " + std::to_string(*group.instead_of);
  table.add("group " + std::to_string(index), line);
  const std::string least = group.counted ? "" : "at least ";
  table.add("", "ran " + least + counted(group.runs, "time", "times") + ", did not fit " + least +
                    counted(group.fallbacks, "time", "times"));
  for (const FusedOperation& one : group.operations)
    table.add("", pad(one.operation, 16) + (one.line ? "  " + place(*one.line) + "  " + one.line->text : ""));
  if (!source) return;
  table.add("", group.language + ":");
  table.add_code(group.source);
}

/// Operations of one kind that were left out for one reason.
struct Sort {
  std::string text;
  std::int64_t count = 0;
  std::vector<std::string> places = {};
};

std::vector<Sort> sorts_of(const std::vector<LeftOut>& all) {
  std::vector<Sort> sorts;
  for (const LeftOut& one : all) {
    std::string text = one.operation.operation + ": " + one.reason;
    if (one.instead_of) text += ", in place of group " + std::to_string(*one.instead_of);
    auto found =
        std::find_if(sorts.begin(), sorts.end(), [&](const Sort& sort) { return sort.text == text; });
    if (found == sorts.end()) found = sorts.insert(sorts.end(), {std::move(text)});
    ++found->count;
    if (!one.operation.line) continue;
    std::string where = place(*one.operation.line);
    if (std::find(found->places.begin(), found->places.end(), where) == found->places.end())
      found->places.push_back(std::move(where));
  }
  return sorts;
}

void add_left_out(Table& table, const std::vector<LeftOut>& all) {
  std::string heading = "left out";
  for (const Sort& sort : sorts_of(all)) {
    table.add(heading, (sort.count > 1 ? std::to_string(sort.count) + " x " : "") + sort.text);
    heading.clear();
    std::string places;
    for (std::size_t i = 0; i < std::min(most_places, sort.places.size()); ++i)
      places += (i > 0 ? ", " : "") + sort.places[i];
    if (sort.places.size() > most_places)
      places += " and " + std::to_string(sort.places.size() - most_places) + " more";
    if (!places.empty()) table.add("", "  " + places);
  }
}

}  // namespace

std::string FusionReport::str(bool source) const {
  Table table;
  add_head(table, *this);
  if (note) {
    table.add("groups", "none: " + *note);
    return table.text();
  }
  if (groups.empty()) table.add("groups", "none");
  for (std::size_t i = 0; i < groups.size(); ++i) add_group(table, groups[i], i, source);
  add_left_out(table, left_out);
  return table.text();
}

}  // namespace kit
