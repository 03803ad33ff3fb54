#include <kit/verify.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <kit/archive.h>
#include <kit/error.h>
#include <kit/model.h>

#include "commands.h"

namespace kit::predictor {

namespace {

constexpr const char* footer =
    "Every archive carries golden cases: inputs, and the outputs that the eager model gave for them. They "
    "are\n"
    "predicted again here and compared. Equal bits are best; the tolerances of the archive are the limit.\n"
    "An archive with several methods has cases for each; all are replayed, unless --method names one.\n"
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

/// The outcome of one method of one program: a report, or why it cannot run here.
struct Outcome {
  std::string engine;
  std::string method;
  Report report;
  std::string unavailable;
  Configuration configuration;
};

const char* verdict(const Difference& difference) {
  if (!difference.within) return "DIFFERS";
  return difference.bit_equal ? "bit-equal" : "within";
}

std::string plural(std::int64_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::string brief(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

std::string pad(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

/// "torchscript", or "torchscript, method encode" where there are others.
std::string title(const Outcome& outcome, bool several) {
  return outcome.engine + (several ? ", method " + outcome.method : "");
}

std::string table(const Outcome& outcome, bool several) {
  if (!outcome.unavailable.empty())
    return title(outcome, several) + ": cannot run here: " + outcome.unavailable + "\n";
  std::size_t width = std::string("output").size();
  for (const OutputResult& result : outcome.report.results) width = std::max(width, result.output.size());
  std::string text = "case  " + pad("output", width) + "  max abs diff  max rel diff\n";
  for (const OutputResult& result : outcome.report.results) {
    const Difference& difference = result.difference;
    text += pad(std::to_string(result.case_index), 4) + "  " + pad(result.output, width) + "  " +
            pad(brief(difference.max_abs), 12) + "  " + pad(brief(difference.max_rel), 12) + "  " +
            verdict(difference) + "\n";
  }
  text += title(outcome, several) + ": " + plural(outcome.report.cases, "case") + ", ";
  if (outcome.report.passed() && outcome.report.bit_equal()) {
    text += "all outputs bit-equal to eager";
  } else {
    text += std::string(outcome.report.passed() ? "all outputs within tolerance" : "outputs DIFFER") +
            ", largest absolute difference " + brief(outcome.report.max_abs());
  }
  const std::string how = outcome.configuration.str();
  return text + (how.empty() ? "" : " (" + how + ")") + "\n";
}

nlohmann::json json_of(const Outcome& outcome) {
  if (!outcome.unavailable.empty())
    return {{"engine", outcome.engine}, {"method", outcome.method}, {"unavailable", outcome.unavailable}};
  nlohmann::json results = nlohmann::json::array();
  for (const OutputResult& result : outcome.report.results) {
    const Difference& difference = result.difference;
    results.push_back({{"case", result.case_index},
                       {"output", result.output},
                       {"within", difference.within},
                       {"bit_equal", difference.bit_equal},
                       {"max_abs", difference.max_abs},
                       {"max_rel", difference.max_rel},
                       {"mismatches", difference.mismatches},
                       {"first", difference.first},
                       {"reason", difference.reason}});
  }
  return {{"engine", outcome.engine},
          {"method", outcome.method},
          {"configuration", nlohmann::json::parse(outcome.configuration.json())},
          {"cases", outcome.report.cases},
          {"passed", outcome.report.passed()},
          {"bit_equal", outcome.report.bit_equal()},
          {"max_abs", outcome.report.max_abs()},
          {"max_rel", outcome.report.max_rel()},
          {"results", results}};
}

/// The engines to try: the one that was asked for, or one for each kind of program in the archive.
std::vector<std::string> engines(const VerifyOptions& options, const Manifest& manifest) {
  if (!options.all) return {options.engine};
  std::vector<std::string> names;
  for (const ProgramInfo& program : manifest.programs)
    if (std::find(names.begin(), names.end(), program.engine) == names.end()) names.push_back(program.engine);
  return names;
}

/// The methods to replay: the one that was asked for, or all.
std::vector<std::string> methods(const VerifyOptions& options, const Manifest& manifest) {
  if (options.method) return {manifest.method(*options.method).name};
  std::vector<std::string> names;
  for (const Method& method : manifest.methods) names.push_back(method.name);
  return names;
}

std::vector<Outcome> replay(const Archive& archive, const std::string& engine, const VerifyOptions& options) {
  std::vector<Outcome> outcomes;
  std::vector<Model> models;  // all stay until the last is done, so that the weights are loaded once
  for (const std::string& method : methods(options, *archive.manifest())) {
    try {
      models.push_back(
          Model::load(archive, {engine_from_name(engine), options.device, method, options.configuration}));
      const Model& model = models.back();
      outcomes.push_back(
          {std::string(name(model.engine())), method, verify(model, archive), {}, model.configuration()});
    } catch (const Error& error) {
      // With --all, a program that this host cannot run must not hide the others.
      if (!options.all || error.code() != ErrorCode::unavailable) throw;
      outcomes.push_back({engine, method, {}, error.what(), {}});
    }
  }
  return outcomes;
}

/// The first thing that is wrong, after all was printed.
void fail(const std::vector<Outcome>& outcomes, const std::string& path, bool several) {
  for (const Outcome& outcome : outcomes) {
    if (const OutputResult* failure = outcome.report.first_failure())
      throw Error(ErrorCode::parity, path + ": " + title(outcome, several) + " differs from eager in case " +
                                         std::to_string(failure->case_index) + ", output '" +
                                         failure->output + "': " + failure->difference.reason);
  }
  for (const Outcome& outcome : outcomes)
    if (!outcome.unavailable.empty()) throw Error(ErrorCode::unavailable, outcome.unavailable);
}

void replay_all(const VerifyOptions& options) {
  engine_from_name(options.engine);
  const Archive archive = Archive::open(options.model);
  if (archive.manifest() == nullptr)
    throw Error(ErrorCode::archive,
                archive.path() +
                    " has no manifest, hence no golden cases; write an archive with python -m kit.export");
  std::vector<Outcome> outcomes;
  for (const std::string& engine : engines(options, *archive.manifest()))
    for (Outcome& outcome : replay(archive, engine, options)) outcomes.push_back(std::move(outcome));
  const bool several = archive.manifest()->methods.size() > 1;

  if (options.json) {
    nlohmann::json programs = nlohmann::json::array();
    bool passed = true;
    for (const Outcome& outcome : outcomes) {
      programs.push_back(json_of(outcome));
      passed = passed && outcome.unavailable.empty() && outcome.report.passed();
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
  command->footer(footer);
  command->add_option("MODEL", options->model, "The archive, model.pt")->required()->type_name("");
  CLI::Option* engine = command
                            ->add_option("--engine", options->engine,
                                         "auto (the fastest that runs here), torchscript, aoti or native")
                            ->type_name("ENGINE");
  command->add_flag("--all", options->all, "Every program that the archive has")->excludes(engine);
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
