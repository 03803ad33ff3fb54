#pragma once

#include <functional>
#include <string_view>

#include <kit/configuration.h>

namespace CLI {
class App;
}

namespace kit::predictor {

/// What a command does once its options are parsed. It throws a kit::Error where it fails.
using Action = std::function<void()>;

/// Each adds a command to `app`, and sets `action` when the command is chosen.
void add_run(CLI::App& app, Action& action);
void add_verify(CLI::App& app, Action& action);
void add_inspect(CLI::App& app, Action& action);
void add_bench(CLI::App& app, Action& action);

/// What `bench` runs in fresh processes. `entered` is when main was entered, in seconds of the steady clock.
void add_bench_start(CLI::App& app, Action& action, double entered);

/// Adds the options that set fields of the configuration, but for the number of threads.
void add_configuration(CLI::App& command, Configuration& configuration);

/// Writes to standard output. Throws an unavailable error if that fails.
void print(std::string_view text);

/// Writes "predictor: <kind>: <text>" to standard error, in one line; "predictor: <text>" without a kind.
void report(std::string_view kind, std::string_view text);

}  // namespace kit::predictor
