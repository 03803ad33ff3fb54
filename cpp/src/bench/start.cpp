#include "bench/start.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "bench/machine.h"
#include "bench/series.h"
#include "core/choose.h"
#include "core/configuration.h"
#include "engines/library.h"

namespace kit::bench {
namespace {

using Json = nlohmann::json;

std::vector<Tensor> inputs_of(const Archive& archive, const StartRequest& request) {
  return Workload(archive, request.options.method).inputs(request.sizes);
}

/// Whether programs of the engine need a library that is loaded first.
bool needs_library(Engine engine) { return engine != Engine::native; }

}  // namespace

std::string StartRequest::json() const {
  return Json{{"engine", name(options.engine)},
              {"target", options.target},
              {"device", options.device},
              {"method", options.method},
              {"sizes", sizes},
              {"configuration", Json::parse(options.configuration.json())},
              {"started", started}}
      .dump();
}

StartRequest StartRequest::parse(const std::string& model, const std::string& text) {
  try {
    const Json root = Json::parse(text);
    StartRequest request;
    request.model = model;
    request.options.engine = engine_from_name(root.at("engine").get<std::string>());
    request.options.target = root.at("target").get<std::string>();
    request.options.device = root.at("device").get<std::string>();
    request.options.method = root.at("method").get<std::string>();
    request.options.configuration = read_configuration(root);
    request.sizes = root.at("sizes").get<Sizes>();
    request.started = root.at("started").get<double>();
    return request;
  } catch (const Json::exception& error) {
    throw Error(
        ErrorCode::usage,
        std::string("bench-start is what predictor bench runs, with a request that this is none of: ") +
            error.what() + "; run predictor bench");
  }
}

std::string Start::json() const {
  return Json{{"parts", parts}, {"peak_bytes", peak_bytes ? Json(*peak_bytes) : Json()}}.dump();
}

Start Start::parse(const std::string& text) {
  const Json root = Json::parse(text);
  Start start;
  start.parts = root.at("parts").get<std::map<std::string, double>>();
  if (const Json& peak = root.at("peak_bytes"); !peak.is_null()) start.peak_bytes = peak.get<std::uint64_t>();
  return start;
}

const std::vector<std::string>& start_parts() {
  static const std::vector<std::string> parts{"process", "archive", "library",  "program", "first",
                                              "second",  "third",   "to_first", "whole"};
  return parts;
}

Start start_here(const StartRequest& request, double entered) {
  Start start;
  start.parts["process"] = entered - request.started;
  const auto timed = [&](const char* part, const auto& action) {
    const double before = steady_seconds();
    auto result = action();
    start.parts[part] = steady_seconds() - before;
    return result;
  };

  const Archive archive = timed("archive", [&] { return Archive::open(request.model); });
  const std::optional<std::uint64_t> peak_so_far = peak_memory();
  const std::vector<Tensor> inputs = inputs_of(archive, request);
  const bool forgotten = forget_peak();

  const Engine engine = request.options.engine;
  if (needs_library(engine)) timed("library", [&] { return engine_loader(engine); });
  const Model model = timed("program", [&] { return Model::load(archive, request.options); });
  for (const char* call : {"first", "second", "third"}) timed(call, [&] { return model.predict(inputs); });

  double sum = 0;
  for (const char* part : {"process", "archive", "library", "program", "first"})
    if (const auto found = start.parts.find(part); found != start.parts.end()) sum += found->second;
  start.parts["to_first"] = sum;
  if (const auto peak = peak_memory(); forgotten && peak) start.peak_bytes = std::max(*peak, *peak_so_far);
  return start;
}

}  // namespace kit::bench
