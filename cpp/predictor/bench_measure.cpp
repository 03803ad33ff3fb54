#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <kit/error.h>
#include <kit/model.h>
#include <kit/version.h>

#include "bench.h"
#include "bench/digest.h"
#include "bench/machine.h"
#include "bench/series.h"
#include "bench/start.h"
#include "bench/throughput.h"
#include "commands.h"
#include "core/host.h"

namespace kit::predictor {

namespace {

constexpr std::size_t least_starts = 5;
constexpr std::size_t most_starts = 40;

std::vector<bench::Sizes> sizes_of(const BenchOptions& options, const bench::Workload& workload) {
  if (options.batches.empty()) return workload.sizes();
  std::vector<bench::Sizes> sizes;
  for (const std::int64_t batch : options.batches) sizes.push_back(workload.with_batch(batch));
  std::sort(sizes.begin(), sizes.end());
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  return sizes;
}

std::vector<int> threads_of(const BenchOptions& options) {
  std::vector<int> threads = options.threads;
  if (threads.empty()) threads = {1, bench::cores()};
  std::sort(threads.begin(), threads.end());
  threads.erase(std::unique(threads.begin(), threads.end()), threads.end());
  return threads;
}

/// How the model is loaded, here and in fresh processes. Threads within an operation are as in `predictor
/// run`.
Options load_options(const BenchOptions& options, const Manifest& manifest) {
  Options load{engine_from_name(options.engine), options.device, options.method, options.configuration};
  load.target = options.target;
  if (!load.configuration.threads) load.configuration.threads = manifest.configuration.threads.value_or(1);
  return load;
}

bench::Conditions conditions_of(const BenchOptions& options, const Archive& archive, const Model& model,
                                const std::string& signature) {
  const Manifest& manifest = *archive.manifest();
  const auto program =
      std::find_if(manifest.programs.begin(), manifest.programs.end(), [&](const ProgramInfo& one) {
        return one.engine == name(model.engine()) && one.target == model.target();
      });
  bench::Conditions conditions;
  conditions.kit = version;
  conditions.torch = torch_version;
  conditions.date = bench::now_utc();
  conditions.cpu = bench::cpu_name();
  conditions.cores = bench::cores();
  conditions.load = bench::load();
  conditions.isa = name(Host::here().isa);
  conditions.archive = archive.path();
  conditions.model = manifest.name;
  conditions.method = model.method();
  conditions.signature = signature;
  conditions.engine = name(model.engine());
  conditions.target = model.target();
  conditions.device = options.device;
  conditions.program_torch = program->torch;
  conditions.digest = bench::program_digest(manifest, *program, model.method());
  conditions.configuration = model.configuration().json();
  conditions.notes = model.notes();
  conditions.seconds = options.seconds;
  conditions.clock_seconds = bench::clock_seconds();
  return conditions;
}

/// Starts fresh processes for the first of the sizes, until what they take to the first prediction is stable
/// or the time is up, and one for each of the others, for its memory.
void measure_starts(const BenchOptions& options, const bench::Limits& limits, bench::StartRequest request,
                    const std::vector<bench::Sizes>& sizes, bench::Result& result) {
  request.sizes = sizes.front();
  bench::start_process(request);  // brings the files into the page cache
  std::map<std::string, std::vector<double>> parts;
  std::vector<double> peaks;
  bench::Blocks to_first(limits);
  const double begin = bench::steady_seconds();
  const auto enough = [&] {
    const std::size_t runs = to_first.size();
    if (options.starts) return runs >= static_cast<std::size_t>(*options.starts);
    return runs >= least_starts &&
           (runs >= most_starts || to_first.stable() || bench::steady_seconds() - begin >= limits.seconds);
  };
  while (!enough()) {
    const bench::Start start = bench::start_process(request);
    for (const auto& [part, seconds] : start.parts) parts[part].push_back(seconds);
    if (start.peak_bytes) peaks.push_back(static_cast<double>(*start.peak_bytes));
    to_first.add(start.parts.at("to_first"));
  }
  result.start.sizes = request.sizes;
  result.start.runs = to_first.size();
  for (const auto& [part, seconds] : parts) result.start.parts[part] = bench::interval_of(seconds);

  for (const bench::Sizes& one : sizes) {
    if (one != request.sizes) {
      peaks.clear();
      bench::StartRequest other = request;
      other.sizes = one;
      const bench::Start start = bench::start_process(other);
      if (start.peak_bytes) peaks.push_back(static_cast<double>(*start.peak_bytes));
    }
    result.memory.push_back({one, peaks.empty() ? std::nullopt : std::optional(bench::interval_of(peaks))});
  }
}

void measure_calls(const BenchOptions& options, const bench::Limits& limits, Model& model,
                   const bench::Workload& workload, const bench::Sizes& sizes, bench::Result& result) {
  const std::vector<Tensor> inputs = workload.inputs(sizes);
  model.warm_up({inputs});
  const auto call = [&] { model.predict(inputs); };
  result.latency.push_back({sizes, bench::measure_latency(call, limits)});
  for (const int threads : threads_of(options))
    result.throughput.push_back(
        {sizes, workload.rows(sizes), threads, bench::measure_throughput(call, threads, limits)});
}

/// Where the inputs of all sizes come from.
std::string origins(const bench::Workload& workload, const std::vector<bench::Sizes>& sizes) {
  std::string origin;
  for (const bench::Sizes& one : sizes) origin = std::max(origin, workload.origin(one));
  return origin;
}

}  // namespace

bench::Result measure(const BenchOptions& options, const Archive& archive, const bench::Workload& workload,
                      const std::string& signature) {
  const std::vector<bench::Sizes> sizes = sizes_of(options, workload);
  const Options load = load_options(options, *archive.manifest());
  Model model = Model::load(archive, load);
  for (const std::string& warning : model.warnings()) report("warning", warning);

  bench::Limits limits;
  limits.seconds = options.seconds;
  bench::Result result;
  result.conditions = conditions_of(options, archive, model, signature);
  result.conditions.inputs = origins(workload, sizes);
  bench::StartRequest request{archive.path(), load, {}, 0};
  request.options.engine = model.engine();
  request.options.target = model.target();
  measure_starts(options, limits, request, sizes, result);
  for (const bench::Sizes& one : sizes) measure_calls(options, limits, model, workload, one, result);
  return result;
}

}  // namespace kit::predictor
