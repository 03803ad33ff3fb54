#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <kit/archive.h>
#include <kit/error.h>
#include <kit/manifest.h>

#include "commands.h"
#include "inspect.h"

namespace kit::predictor {

namespace {

constexpr const char* inspect_footer =
    "The archive is checked against its manifest, member by member. The model is not loaded, unless its\n"
    "graph is asked for: as it was traced, after its weights were folded in (frozen), or as it is executed\n"
    "once it has run (optimized); or unless golden cases are to be run for a report of what torch fuses.\n"
    "For each program it says whether this host can run it. The environment variable KIT_ISA, x86-64-v2 to\n"
    "x86-64-v4, lets a host count as one with fewer instructions, here and wherever a program is chosen.\n"
    "\n"
    "Examples:\n"
    "  predictor inspect model.pt\n"
    "  predictor inspect model.pt --json | jq .signature\n"
    "  predictor inspect model.pt --programs\n"
    "  predictor inspect model.pt --graph --stage frozen --diff\n"
    "  predictor inspect model.pt --fusion-report --device cuda\n";

std::string brief(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

/// Lines under a common heading: the heading stands only before the first. Names come from the archive, and
/// must neither make further lines nor steer the terminal.
class Sheet {
 public:
  void add(const std::string& heading, std::string line) {
    std::string start = heading == last_ ? "" : heading;
    last_ = heading;
    start.resize(12, ' ');
    for (char& c : line)
      if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';
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
  if (method.rows_depend) sheet.add("rows", "depend on one another: give them in one call");
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
  for (const std::string& line : describe_programs(archive)) sheet.add("programs", line);
  if (const std::string how = manifest.configuration.str(); !how.empty()) sheet.add("run with", how);
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

/// Options that count only where the model is loaded.
std::vector<CLI::Option*> add_loading(CLI::App& command, InspectOptions& options) {
  const std::size_t before = command.get_options().size();
  command
      .add_option(
          "--case", options.cases,
          "Run the golden case of that index, may be repeated for --fusion-report; the first for --graph, "
          "all for --fusion-report, if not given")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name("N");
  command.add_option("--device", options.device, "cpu, cuda or cuda:N")->type_name("DEVICE");
  command.add_option("--method", options.method, "The method of the model; forward, if not given")
      ->type_name("METHOD");
  command.add_option("--threads", options.configuration.threads, "Threads within an operation")
      ->type_name("N");
  add_configuration(command, options.configuration);
  std::vector<CLI::Option*> added = command.get_options({});
  added.erase(added.begin(), added.begin() + static_cast<std::ptrdiff_t>(before));
  return added;
}

void refuse(const std::vector<CLI::Option*>& options) {
  for (const CLI::Option* option : options)
    if (option->count() > 0)
      throw Error(ErrorCode::usage,
                  option->get_name() + " needs --graph or --fusion-report; see predictor inspect --help");
}

}  // namespace

void add_inspect(CLI::App& app, Action& action) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* command =
      app.add_subcommand("inspect", "Show what an archive holds, and what the compiler makes of it");
  command->footer(inspect_footer);
  command->add_option("MODEL", options->model, "The archive, model.pt")->required()->type_name("");
  command->add_flag("--json", options->json,
                    "Print JSON: the manifest as it is stored, or what else is asked for");
  CLI::Option* programs = command->add_flag(
      "--programs", options->programs,
      "Only the programs: which this host can run, and why not the others; with --json as JSON");
  CLI::Option* graph =
      command->add_flag("--graph", options->graph, "Load the model and print its graph")->excludes(programs);
  command->add_option("--stage", options->stage, "traced (if not given), frozen or optimized")
      ->type_name("STAGE")
      ->needs(graph);
  command->add_flag("--diff", options->diff, "Say what led from the stage before to this one")->needs(graph);
  CLI::Option* fusion = command
                            ->add_flag("--fusion-report", options->fusion,
                                       "Run golden cases and print what was fused, and what was not")
                            ->excludes(graph)
                            ->excludes(programs);
  command->add_option("--calls", options->calls, "How often each case is run for the report; 4, if not given")
      ->type_name("N")
      ->needs(fusion);
  command->add_flag("--source", options->source, "Add the generated code to the report")->needs(fusion);
  const std::vector<CLI::Option*> of_loading = add_loading(*command, *options);
  command->callback([options, of_loading, &action] {
    if (options->graph) {
      action = [options] { show_graph(*options); };
      return;
    }
    if (options->fusion) {
      action = [options] { show_fusion(*options); };
      return;
    }
    refuse(of_loading);
    if (options->programs) {
      action = [options] { show_programs(*options); };
      return;
    }
    action = [options] { inspect(options->model, options->json); };
  });
}

}  // namespace kit::predictor
