#include "bench.h"

#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <kit/archive.h>
#include <kit/device.h>
#include <kit/error.h>
#include <kit/model.h>

#include "bench/start.h"
#include "commands.h"
#include "io/input_file.h"
#include "io/output_file.h"

namespace kit::predictor {

namespace {

constexpr const char* bench_footer =
    "What is measured, in this order:\n"
    "  start       in fresh processes, with the files in the page cache: exec to main, the check of the "
    "archive, the\n"
    "              load of libtorch where the engine needs it, the load of the program, the first three "
    "calls\n"
    "  latency     of a call from one thread, for each batch\n"
    "  throughput  of one model that --threads call at once, for each batch\n"
    "  memory      the most that was resident in a fresh process after three calls\n"
    "Inputs are golden cases, their rows repeated where a batch is not among them, or random values where "
    "there are\n"
    "none. They and the outputs are in the CPU's memory, also for a program on another device.\n"
    "A figure is measured until its median is known within 2 % (with 95 % confidence, from the medians of "
    "blocks of\n"
    "20 ms), or --seconds are over, and it is then called not stable.\n"
    "\n"
    "--compare takes a file of the same model and prints ratios: above 1 is slower, or more memory. The "
    "bounds of a\n"
    "ratio are those of both figures at their worst; where 1 is between them, the difference may be chance.\n"
    "Exit code 5 if the median of a ratio is above --fail-above.\n"
    "\n"
    "Examples:\n"
    "  predictor bench model.pt\n"
    "  predictor bench model.pt --engine torchscript --batch 1,64 --threads 1,2 --output before.json\n"
    "  predictor bench model.pt --engine torchscript --batch 1,64 --threads 1,2 --compare before.json\n";

constexpr int most_threads = 1024;
/// What the command line alone can be wrong about.
void check(const BenchOptions& options) {
  engine_from_name(options.engine);
  Device::parse(options.device);
  options.configuration.check();
  if (!(options.seconds > 0) || !std::isfinite(options.seconds))
    throw Error(ErrorCode::usage, "--seconds must be a number above 0; 1 if not given");
  for (const int threads : options.threads)
    if (threads < 1 || threads > most_threads)
      throw Error(ErrorCode::usage, "--threads " + std::to_string(threads) + " is not from 1 to " +
                                        std::to_string(most_threads));
  if (options.starts.value_or(1) < 1) throw Error(ErrorCode::usage, "--starts must be 1 or more");
  if (!(options.fail_above > 0) || !std::isfinite(options.fail_above))
    throw Error(ErrorCode::usage, "--fail-above must be a number above 0; 1.10 if not given");
}

std::string signature_text(const Signature& signature) {
  const auto listed = [&](const std::vector<TensorSpec>& specs) {
    std::string text;
    for (const TensorSpec& spec : specs)
      text += (text.empty() ? "" : ", ") + spec.name + ": " + signature.str(spec);
    return text;
  };
  std::string text = "(" + listed(signature.inputs) + ") -> (" + listed(signature.outputs) + ")";
  for (const Dim& dim : signature.dims)
    text += "; " + dim.name + " in " + std::to_string(dim.min) + ".." + std::to_string(dim.max);
  return text;
}

std::string text_of_file(const std::string& path) {
  io::InputFile file(path);
  std::string text;
  char buffer[4096];
  while (const std::size_t count = file.read(buffer, sizeof buffer)) text.append(buffer, count);
  return text;
}

/// The error line for what is beyond the limit, or nothing.
std::string failure_of(const bench::Comparison& comparison, const BenchOptions& options) {
  const std::vector<bench::Ratio> beyond = comparison.beyond(options.fail_above);
  if (beyond.empty()) return {};
  char limit[96];
  std::snprintf(limit, sizeof limit, "%.2f times what it was in ", beyond.front().ratio.median);
  std::string text = options.model + ": " + beyond.front().figure + ": " + limit + *options.compare;
  if (beyond.size() > 1)
    text += ", and " + std::to_string(beyond.size() - 1) +
            (beyond.size() == 2 ? " more figure" : " more figures");
  std::snprintf(limit, sizeof limit, " beyond the limit of %.2f", options.fail_above);
  return text + limit + "; see the table, and measure again what may be chance";
}

nlohmann::json json_of(const bench::Comparison& comparison, const BenchOptions& options) {
  nlohmann::json ratios = nlohmann::json::array();
  for (const bench::Ratio& one : comparison.ratios)
    ratios.push_back({{"figure", one.figure},
                      {"ratio", one.ratio.median},
                      {"low", one.ratio.low},
                      {"high", one.ratio.high},
                      {"beyond", one.ratio.median > options.fail_above}});
  return {{"with", *options.compare},
          {"fail_above", options.fail_above},
          {"ratios", ratios},
          {"missing", comparison.missing},
          {"changes", comparison.changes}};
}

void run_bench(const BenchOptions& options) {
  // What can be refused comes before anything is measured.
  check(options);
  std::optional<nlohmann::json> old;
  if (options.compare) old = bench::parse_result(text_of_file(*options.compare), *options.compare);
  std::optional<io::OutputFile> output;
  if (options.output) output.emplace(*options.output, options.model);
  const Archive archive = Archive::open(options.model);
  const bench::Workload workload(archive, options.method);
  const std::string signature = signature_text(workload.signature());
  if (old)
    bench::check_same_model(*old, *options.compare, archive.manifest()->name, options.method, signature);

  const bench::Result result = measure(options, archive, workload, signature);
  nlohmann::json document = result.json();
  std::string text = table(result);
  std::string failure;
  if (old) {
    const bench::Comparison comparison = bench::compare_results(*old, document, *options.compare);
    text += "\n" + table(comparison, *options.compare, options.fail_above);
    document["compared"] = json_of(comparison, options);
    failure = failure_of(comparison, options);
  }
  const std::string json = document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  if (output) {
    output->write(json);
    output->commit();
  }
  print(options.json ? json : text);
  if (!failure.empty()) throw Error(ErrorCode::parity, failure);
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* command = app.add_subcommand("bench", "Measure start, latency, throughput and memory");
  command->footer(bench_footer);
  command->add_option("MODEL", options->model, "The archive, model.pt")->required()->type_name("");
  command
      ->add_option("--engine", options->engine,
                   "auto (the fastest that runs here), torchscript, aoti or native")
      ->type_name("ENGINE");
  command
      ->add_option("--target", options->target,
                   "What the program was compiled for, as x86-64-v3; the best for this host, if not given")
      ->type_name("TARGET");
  command->add_option("--device", options->device, "cpu, cuda or cuda:N")->type_name("DEVICE");
  command->add_option("--method", options->method, "Which method of the model: forward, if not given")
      ->type_name("METHOD");
  command
      ->add_option("--batch", options->batches,
                   "Rows in a call; those of the golden cases, if not given, or 1, 64 and 1024 without any")
      ->delimiter(',')
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name("N[,N...]");
  command
      ->add_option("--threads", options->threads,
                   "Threads that call the model at once; 1 and as many as there are cores, if not given")
      ->delimiter(',')
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name("N[,N...]");
  command
      ->add_option("--operation-threads", options->configuration.threads,
                   "Threads within an operation: 1, if neither given nor recommended by the archive")
      ->type_name("N");
  command->add_option("--seconds", options->seconds, "The most that a figure takes; 1, if not given")
      ->type_name("S");
  command
      ->add_option("--starts", options->starts,
                   "How many fresh processes are started; 5 at least and 40 at most, if not given")
      ->type_name("N");
  add_configuration(*command, options->configuration);
  command->add_flag("--json", options->json, "Print the figures as JSON");
  command->add_option("-o,--output", options->output, "Write the figures as JSON to a file, too")
      ->type_name("FILE");
  CLI::Option* const compare =
      command->add_option("--compare", options->compare, "Print ratios to an earlier result, a JSON file")
          ->type_name("FILE");
  command
      ->add_option("--fail-above", options->fail_above,
                   "Exit with code 5 if a ratio is above this; 1.10, if not given")
      ->needs(compare)
      ->type_name("RATIO");
  command->callback([options, &action] { action = [options] { run_bench(*options); }; });
}

void add_bench_start(CLI::App& app, Action& action, double entered) {
  auto model = std::make_shared<std::string>();
  auto request = std::make_shared<std::string>();
  // Without a group it is not listed: it is what bench starts.
  CLI::App* command = app.add_subcommand("bench-start", "What bench runs in fresh processes")->group("");
  command->add_option("MODEL", *model)->required();
  command->add_option("REQUEST", *request)->required();
  command->callback([model, request, entered, &action] {
    action = [model, request, entered] {
      print(bench::start_here(bench::StartRequest::parse(*model, *request), entered).json() + "\n");
    };
  });
}

}  // namespace kit::predictor
