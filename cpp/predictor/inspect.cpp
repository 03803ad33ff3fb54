#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <kit/archive.h>
#include <kit/manifest.h>

#include "commands.h"

namespace kit::predictor {

namespace {

constexpr const char* footer =
    "The archive is checked against its manifest, member by member, but the model is not loaded.\n"
    "\n"
    "Examples:\n"
    "  predictor inspect model.pt\n"
    "  predictor inspect model.pt --json | jq .signature\n";

/// "12,345".
std::string thousands(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, ",");
  return text;
}

std::string brief(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

/// Lines under a common heading: the heading stands only before the first.
class Sheet {
 public:
  void add(const std::string& heading, const std::string& line) {
    std::string start = heading == last_ ? "" : heading;
    last_ = heading;
    start.resize(12, ' ');
    text_ += start + line + "\n";
  }

  std::string text() const { return text_; }

 private:
  std::string last_;
  std::string text_;
};

/// "batch  1 to 4096, tried 1, 2, 4096".
std::string describe(const Dim& dim, const Method& method) {
  std::string text = dim.name + "  " + std::to_string(dim.min) + " to " + std::to_string(dim.max);
  const auto tried = method.tried.find(dim.name);
  if (tried == method.tried.end()) return text;
  const char* separator = ", tried ";
  for (const std::int64_t size : tried->second) {
    text += separator + std::to_string(size);
    separator = ", ";
  }
  return text;
}

void add_tensors(Sheet& sheet, const std::string& heading, const std::vector<TensorSpec>& specs,
                 const Signature& signature) {
  for (const TensorSpec& spec : specs) sheet.add(heading, spec.name + "  " + signature.str(spec));
}

void add_method(Sheet& sheet, const Method& method) {
  const Signature& signature = method.signature;
  add_tensors(sheet, "inputs", signature.inputs, signature);
  add_tensors(sheet, "outputs", signature.outputs, signature);
  for (const Dim& dim : signature.dims) sheet.add("dims", describe(dim, method));
  std::string cases = std::to_string(method.cases);
  if (method.seed) cases += ", each with the random seed " + std::to_string(*method.seed);
  sheet.add("cases", cases);
  for (const auto& [dtype, tolerance] : method.tolerances)
    sheet.add("tolerances", std::string(name(dtype)) + "  rtol " + brief(tolerance.rtol) + ", atol " +
                                brief(tolerance.atol));
}

std::string describe(const Archive& archive, const Manifest& manifest) {
  Sheet sheet;
  sheet.add("name", manifest.name);
  sheet.add("archive", archive.path() + ", format " + std::to_string(manifest.format) + ", " +
                           thousands(archive.bytes().size()) + " bytes, " +
                           std::to_string(manifest.members.size()) + " members, all as the manifest says");
  for (const Method& method : manifest.methods) {
    if (manifest.methods.size() > 1) sheet.add("method", method.name);
    add_method(sheet, method);
  }
  for (const ProgramInfo& program : manifest.programs)
    sheet.add("programs", program.engine + "  for " + program.target + ", made with torch " + program.torch);
  for (const auto& [what, version] : manifest.provenance) sheet.add("provenance", what + " " + version);
  return sheet.text();
}

std::string describe_plain(const Archive& archive) {
  Sheet sheet;
  sheet.add("archive", archive.path() + ", a TorchScript archive that kit did not write, " +
                           thousands(archive.bytes().size()) + " bytes, " +
                           std::to_string(archive.member_names().size()) + " members");
  sheet.add("manifest", "none: neither its integrity nor its inputs and outputs can be checked");
  return sheet.text();
}

void inspect(const std::string& path, bool as_json) {
  const Archive archive = Archive::open(path);
  const Manifest* manifest = archive.manifest();
  if (!as_json) {
    print(manifest != nullptr ? describe(archive, *manifest) : describe_plain(archive));
  } else if (manifest != nullptr) {
    print(manifest->json.ends_with('\n') ? manifest->json : manifest->json + "\n");
  } else {
    const nlohmann::json document = {{"format", nullptr}, {"members", archive.member_names()}};
    print(document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
}

}  // namespace

void add_inspect(CLI::App& app, Action& action) {
  struct InspectOptions {
    std::string model;
    bool json = false;
  };
  auto options = std::make_shared<InspectOptions>();
  CLI::App* command = app.add_subcommand("inspect", "Show what an archive holds, without loading the model");
  command->footer(footer);
  command->add_option("MODEL", options->model, "The archive, model.pt")->required()->type_name("");
  command->add_flag("--json", options->json, "Print the manifest as it is stored");
  command->callback([options, &action] { action = [options] { inspect(options->model, options->json); }; });
}

}  // namespace kit::predictor
