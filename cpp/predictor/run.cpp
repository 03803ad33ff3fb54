#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <CLI/CLI.hpp>

#include <kit/archive.h>
#include <kit/device.h>
#include <kit/error.h>
#include <kit/manifest.h>
#include <kit/model.h>

#include "commands.h"
#include "io/batches.h"
#include "io/batching.h"
#include "io/columns.h"
#include "io/format.h"
#include "io/input_file.h"
#include "io/output_file.h"
#include "io/prefetch.h"
#include "io/reader.h"
#include "io/writer.h"

namespace kit::predictor {

namespace {

constexpr const char* run_footer =
    "The formats are csv, jsonl, npy and safetensors, told by the extensions of the files. A pipe has none:\n"
    "name the format of the input with --format. Predictions on standard output have the input's format.\n"
    "Rows are read, predicted and written in batches, so a file may be larger than the memory. If inspect\n"
    "says that they depend on one another, all are one call, unless --batch is given.\n"
    "\n"
    "Of the programs in the archive the fastest that this host can run is taken: native, which needs no "
    "libtorch,\n"
    "then aoti, then torchscript; each for the best target. --engine takes one engine, or fails with exit "
    "code 6;\n"
    "inspect shows which programs this host can run, and -v says why a faster one was not taken.\n"
    "\n"
    "Examples:\n"
    "  predictor run model.pt --input points.csv\n"
    "  predictor run model.pt --input images.npy --output classes.csv\n"
    "  generate | predictor run model.pt --input - --format csv > predictions.csv\n"
    "  predictor run model.pt --input inputs.safetensors --output outputs.safetensors --device cuda\n";

constexpr std::size_t most_bytes_ahead = 4 << 20;

struct RunOptions {
  std::string model;
  std::string input;
  std::string output = "-";
  std::string format;
  std::string output_format;
  std::string engine = "auto";
  std::string device = "cpu";
  std::string method = "forward";
  std::optional<std::int64_t> batch;
  std::optional<std::uint64_t> seed;
  std::optional<int> threads;
  Configuration configuration;
  bool warm_up = false;
  std::vector<std::string> warm_up_sizes;
  bool verbose = false;
};

io::Format input_format(const RunOptions& options) {
  if (!options.format.empty()) return io::format_from_name(options.format);
  if (options.input == "-")
    throw Error(ErrorCode::usage,
                "a pipe does not tell its format; say --format csv, jsonl, npy or safetensors");
  return io::format_from_path(options.input, "--format");
}

/// Devices and pipes get what came in, unless told otherwise; a terminal gets text.
io::Format output_format(const RunOptions& options, io::Format input, bool direct) {
  if (!options.output_format.empty()) return io::format_from_name(options.output_format);
  if (!direct) return io::format_from_path(options.output, "--output-format");
  if (!io::is_text(input) && options.output == "-" && ::isatty(STDOUT_FILENO) == 1)
    throw Error(ErrorCode::usage,
                std::string(io::name(input)) +
                    " is not for a terminal; name a file with --output, or say --output-format jsonl");
  return input;
}

/// Batches can only be put together where every output has a row for each row of the inputs.
void check_rows(const std::vector<Tensor>& outputs, std::int64_t rows, const Signature& signature) {
  const std::vector<std::string> names = io::output_names(signature, outputs.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Shape& shape = outputs[i].shape();
    if (shape.empty() || shape.front() != rows)
      throw Error(ErrorCode::input,
                  "output '" + names[i] + "' is " + outputs[i].str() + " for " + std::to_string(rows) +
                      " rows of input, so the model does not work row by row; give its inputs as "
                      ".safetensors, which make one call");
  }
}

/// Threads within an operation: what was asked for, else what the archive recommends, else one.
std::optional<int> threads(const RunOptions& options, const Manifest* manifest) {
  if (options.threads) return *options.threads > 0 ? options.threads : std::nullopt;
  if (manifest != nullptr && manifest->configuration.threads) return manifest->configuration.threads;
  return 1;
}

/// Sizes by dim, from options like "batch=1,64".
std::map<std::string, std::vector<std::int64_t>> sizes_by_dim(const std::vector<std::string>& texts) {
  std::map<std::string, std::vector<std::int64_t>> result;
  for (const std::string& text : texts) {
    const auto equals = text.find('=');
    std::vector<std::int64_t>& sizes = result[text.substr(0, equals)];
    const char* at = equals == std::string::npos ? text.data() : text.data() + equals;
    const char* const end = text.data() + text.size();
    while (at != end && (*at == '=' || *at == ',')) {
      std::int64_t size = 0;
      const auto [next, fault] = std::from_chars(at + 1, end, size);
      if (fault != std::errc() || size < 0) break;
      sizes.push_back(size);
      at = next;
    }
    if (equals == std::string::npos || equals == 0 || at != end)
      throw Error(ErrorCode::usage, "--warm-up-sizes " + text + " is no dim with its sizes; give batch=1,64");
  }
  return result;
}

void run(const RunOptions& options) {
  // What the command line alone can be wrong about comes first, before anything is loaded.
  const io::Format from = input_format(options);
  Options load_options{engine_from_name(options.engine),
                       options.device,
                       options.method,
                       options.configuration,
                       options.warm_up,
                       sizes_by_dim(options.warm_up_sizes),
                       [](const std::string& text) { report("note", text); }};
  Device::parse(options.device);
  if (options.threads.value_or(0) < 0) throw Error(ErrorCode::usage, "--threads must be 0 or more");
  if (options.batch && *options.batch < 1) throw Error(ErrorCode::usage, "--batch must be 1 or more");
  io::InputFile input(options.input);
  io::OutputFile output(options.output, options.model);
  const io::Format to = output_format(options, from, !output.seekable());

  const Archive archive = Archive::open(options.model);
  load_options.configuration.threads = threads(options, archive.manifest());
  std::optional<Model> model;
  // Without a manifest only the loaded program knows its inputs.
  if (archive.manifest() == nullptr) model = Model::load(archive, load_options);
  const Method* const method =
      archive.manifest() != nullptr ? &archive.manifest()->method(options.method) : nullptr;
  const Signature& signature = method != nullptr ? method->signature : model->signature();

  const auto start = std::chrono::steady_clock::now();
  const bool divisible = method == nullptr || !method->rows_depend;
  const io::Batching batching = io::Batching::of(signature, from, options.batch, divisible);
  const std::string where = input.name();
  const bool never_waits = input.remaining().has_value();
  const std::unique_ptr<io::Reader> reader =
      io::open_reader(from, std::move(input), signature, batching.kind);
  io::Batches batches(*reader, signature, batching, where);
  std::optional<io::Prefetch> ahead;
  if (never_waits) ahead.emplace(batches, most_bytes_ahead);

  if (!model) model = Model::load(archive, load_options);
  for (const std::string& warning : model->warnings()) report("warning", warning);
  if (const std::optional<WarmUp>& warm_up = model->warmed_up()) report("", warm_up->str());
  if (options.seed) model->seed(*options.seed);
  if (options.verbose) {
    const std::string how = model->configuration().str();
    const std::string target = model->target() == "any" ? "" : " for " + model->target();
    report("", "runs " + std::string(name(model->engine())) + target + " on " + options.device +
                   (how.empty() ? "" : ", " + how));
    for (const std::string& note : model->notes()) report("note", note);
  }

  const std::unique_ptr<io::Writer> writer = io::open_writer(to, output, signature, batching.by_row());
  while (const auto inputs = ahead ? ahead->next() : batches.next()) {
    std::vector<Tensor> outputs = model->predict(*inputs);
    for (Tensor& tensor : outputs) tensor = tensor.contiguous();
    if (batching.by_row()) check_rows(outputs, inputs->front().shape().front(), signature);
    writer->write(outputs);
  }
  writer->close();
  output.commit();

  if (options.verbose) {
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    char text[128];
    std::snprintf(text, sizeof text, "%lld %s in %.3f s with the loading of the model, %.0f in a second",
                  static_cast<long long>(batches.rows()), batching.by_row() ? "rows" : "calls", seconds,
                  static_cast<double>(batches.rows()) / seconds);
    report("", text);
  }
}

}  // namespace

void add_run(CLI::App& app, Action& action) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* command = app.add_subcommand("run", "Predict for the inputs in a file or a pipe");
  command->footer(run_footer);
  command->add_option("MODEL", options->model, "The archive, model.pt")->required()->type_name("");
  command->add_option("-i,--input", options->input, "Where the inputs are; - is standard input")
      ->required()
      ->type_name("FILE");
  command
      ->add_option("-o,--output", options->output,
                   "Where the predictions go; - is standard output, the default")
      ->type_name("FILE");
  command->add_option("--format", options->format, "The input's format, if its extension does not tell")
      ->type_name("FORMAT");
  command
      ->add_option("--output-format", options->output_format,
                   "The output's format, if its extension does not tell")
      ->type_name("FORMAT");
  command
      ->add_option("--engine", options->engine,
                   "auto (the fastest that runs here), torchscript, aoti or native")
      ->type_name("ENGINE");
  command->add_option("--device", options->device, "cpu, cuda or cuda:N")->type_name("DEVICE");
  command
      ->add_option("--method", options->method,
                   "Which method of the model: forward, if not given; inspect shows which there are")
      ->type_name("METHOD");
  command
      ->add_option("--batch", options->batch, "Rows in a call; 1024 or what the model allows, if not given")
      ->type_name("N");
  command
      ->add_option("--seed", options->seed,
                   "Seed the random generator first, for models with random operations")
      ->type_name("N");
  command
      ->add_option(
          "--threads", options->threads,
          "Threads within an operation: 1, if not given; large models gain by more; 0 lets the engine choose")
      ->type_name("N");
  add_configuration(*command, options->configuration);
  constexpr const char* warm_up = "Warm-up (what compiles after it is named with its sizes)";
  command
      ->add_flag("--warm-up", options->warm_up,
                 "Call the model with golden cases first, one of each of their sizes, until nothing more is "
                 "compiled")
      ->group(warm_up);
  command
      ->add_option("--warm-up-sizes", options->warm_up_sizes,
                   "Only with cases of these sizes; once for each dim: batch=1,64")
      ->type_name("DIM=N,...")
      ->group(warm_up);
  command->add_flag("-v,--verbose", options->verbose,
                    "Say which engine runs, why not another, and how fast it was");
  command->callback([options, &action] { action = [options] { run(*options); }; });
}

}  // namespace kit::predictor
