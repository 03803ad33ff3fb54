#include <kit/verify.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <kit/archive.h>
#include <kit/error.h>
#include <kit/model.h>
#include <kit/programs.h>

#include "commands.h"
#include "core/choose.h"
#include "outcome.h"

namespace kit::predictor {

namespace {

constexpr const char* verify_footer =
    "Every archive carries golden cases: inputs, and the outputs that the eager model gave for them. They "
    "are\n"
    "predicted again here and compared. Equal bits are best; the tolerances of the archive are the limit.\n"
    "An archive with several methods has cases for each; all are replayed, unless --method names one.\n"
    "\n"
    "An archive may hold several programs, each for one engine and one target. The fastest that this host "
    "can\n"
    "run is verified, or that of --engine, or with --all each of them. With --all, those that this host "
    "cannot\n"
    "run are listed with the reason; they fail the command only if nothing could be verified (exit code 6).\n"
    "A program that the exporting host could not run is called unverified until it has been verified here; "
    "that\n"
    "is noted in $XDG_STATE_HOME/kit/verified, or else in ~/.local/state/kit/verified.\n"
    "\n"
    "Examples:\n"
    "  predictor verify model.pt\n"
    "  predictor verify model.pt --all --json\n";

struct VerifyOptions {
  std::string model;
  std::string engine = "auto";
  std::string device = "cpu";
  std::optional<std::string> method;
  Configuration configuration;
  bool all = false;
  bool json = false;
};

/// The programs to try: the one that is taken for the engine, or all that are in the archive.
std::vector<Wanted> wanted_programs(const VerifyOptions& options, const Manifest& manifest) {
  const Device device = Device::parse(options.device);
  if (!options.all) return {{.engine = engine_from_name(options.engine), .device = device}};
  std::vector<Wanted> wanted;
  for (const ProgramInfo& program : manifest.programs)
    wanted.push_back({engine_from_name(program.engine), program.target, device});
  return wanted;
}

const ProgramInfo& find(const Manifest& manifest, Engine engine, const std::string& target) {
  return *std::find_if(manifest.programs.begin(), manifest.programs.end(), [&](const ProgramInfo& program) {
    return program.engine == name(engine) && program.target == target;
  });
}

/// The methods to replay: the one that was asked for, or all.
std::vector<std::string> methods(const VerifyOptions& options, const Manifest& manifest) {
  if (options.method) return {manifest.method(*options.method).name};
  std::vector<std::string> names;
  for (const Method& method : manifest.methods) names.push_back(method.name);
  return names;
}

Outcome outcome_of(const Archive& archive, const Model& model) {
  Outcome outcome{std::string(name(model.engine())), model.target(), model.method(), verify(model, archive)};
  outcome.configuration = model.configuration();
  const ProgramInfo& program = find(*archive.manifest(), model.engine(), model.target());
  if (!outcome.report.passed() || is_verified(archive, program, model.method())) return outcome;
  outcome.not_noted = record_verified(archive, program, model.method());
  outcome.noted = !outcome.not_noted;
  return outcome;
}

std::vector<Outcome> replay(const Archive& archive, Wanted wanted, const VerifyOptions& options) {
  std::vector<Outcome> outcomes;
  std::vector<Model> models;  // all stay until the last is done, so that the weights are loaded once
  for (const std::string& method : methods(options, *archive.manifest())) {
    wanted.method = method;
    const auto skip = [&](const std::string& reason, bool failed) {
      outcomes.push_back({.engine = std::string(name(wanted.engine)),
                          .target = wanted.target,
                          .method = method,
                          .unavailable = reason,
                          .failed = failed});
    };
    if (options.all) {
      const ProgramInfo& program = find(*archive.manifest(), wanted.engine, wanted.target);
      if (const std::string reason = obstacle(program, wanted, Host::here()); !reason.empty()) {
        skip(reason, false);
        continue;
      }
    }
    try {
      Options load{wanted.engine, options.device, method, options.configuration};
      load.target = wanted.target;
      models.push_back(Model::load(archive, load));
      outcomes.push_back(outcome_of(archive, models.back()));
    } catch (const Error& error) {
      // With --all, a program that cannot be loaded now must not hide the others.
      if (!options.all || error.code() != ErrorCode::unavailable) throw;
      skip(error.what(), true);
    }
  }
  return outcomes;
}

/// Whether anything could be verified.
bool ran(const std::vector<Outcome>& outcomes) {
  return std::any_of(outcomes.begin(), outcomes.end(),
                     [](const Outcome& outcome) { return outcome.unavailable.empty(); });
}

/// The first thing that is wrong, after all was printed.
void fail(const std::vector<Outcome>& outcomes, const std::string& path, bool several) {
  for (const Outcome& outcome : outcomes) {
    if (const OutputResult* failure = outcome.report.first_failure())
      throw Error(ErrorCode::parity, path + ": " + title(outcome, several) + " differs from eager in case " +
                                         std::to_string(failure->case_index) + ", output '" +
                                         failure->output + "': " + failure->difference.reason);
  }
  const bool some = ran(outcomes);
  std::string reasons;
  for (const Outcome& outcome : outcomes)
    if (outcome.failed || !some)
      reasons += (reasons.empty() ? "" : "; ") + title(outcome, several) + ": " + outcome.unavailable;
  if (some && reasons.empty()) return;
  throw Error(ErrorCode::unavailable, path +
                                          (some ? ": what this host should be able to run was not verified: "
                                                : ": none of its programs can be verified here: ") +
                                          reasons);
}

void replay_all(const VerifyOptions& options) {
  engine_from_name(options.engine);
  const Archive archive = Archive::open(options.model);
  if (archive.manifest() == nullptr)
    throw Error(ErrorCode::archive,
                archive.path() +
                    " has no manifest, hence no golden cases; write an archive with python -m kit.export");
  std::vector<Outcome> outcomes;
  for (const Wanted& wanted : wanted_programs(options, *archive.manifest()))
    for (Outcome& outcome : replay(archive, wanted, options)) outcomes.push_back(std::move(outcome));
  const bool several = archive.manifest()->methods.size() > 1;

  if (options.json) {
    nlohmann::json programs = nlohmann::json::array();
    bool passed = ran(outcomes);
    for (const Outcome& outcome : outcomes) {
      programs.push_back(json_of(outcome));
      passed = passed && outcome.report.passed() && !outcome.failed;
    }
    const nlohmann::json document = {{"archive", archive.path()}, {"passed", passed}, {"programs", programs}};
    print(document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  } else {
    std::string text;
    for (const Outcome& outcome : outcomes) text += (text.empty() ? "" : "\n") + table(outcome, several);
    print(text);
  }
  fail(outcomes, archive.path(), several);
}

}  // namespace

void add_verify(CLI::App& app, Action& action) {
  auto options = std::make_shared<VerifyOptions>();
  CLI::App* command = app.add_subcommand("verify", "Replay the golden cases and compare");
  command->footer(verify_footer);
  command->add_option("MODEL", options->model, "The archive, model.pt")->required()->type_name("");
  CLI::Option* engine = command
                            ->add_option("--engine", options->engine,
                                         "auto (the fastest that runs here), torchscript, aoti or native")
                            ->type_name("ENGINE");
  command->add_flag("--all", options->all, "Every program that the archive has, for every target")
      ->excludes(engine);
  command->add_option("--device", options->device, "cpu, cuda or cuda:N")->type_name("DEVICE");
  command->add_option("--method", options->method, "One method of the model; all, if not given")
      ->type_name("METHOD");
  command->add_option("--threads", options->configuration.threads, "Threads within an operation")
      ->type_name("N");
  add_configuration(*command, options->configuration);
  command->add_flag("--json", options->json, "Print the report as JSON");
  command->callback([options, &action] { action = [options] { replay_all(*options); }; });
}

}  // namespace kit::predictor
