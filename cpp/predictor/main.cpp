#include <chrono>
#include <csignal>
#include <exception>
#include <new>
#include <sstream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <kit/error.h>
#include <kit/version.h>

#include "commands.h"

namespace {

using kit::predictor::report;

constexpr const char* description = "Predicts with the models that kit exports, without Python.";

constexpr const char* footer =
    "Examples:\n"
    "  predictor inspect model.pt                        what the model takes and gives\n"
    "  predictor verify model.pt                         does it still compute what it should?\n"
    "  predictor run model.pt --input points.csv         predictions for each line of a table\n"
    "  predictor bench model.pt                          how fast is it?\n"
    "\n"
    "Exit codes: 0 it worked, 1 a fault of kit, 2 wrong command line, 3 bad archive, 4 bad input,\n"
    "5 outputs differ from the golden cases, or bench finds a figure beyond --fail-above,\n"
    "6 this host lacks the engine, the device, memory, or room on the disk.\n";

/// `entered` is when the process had come to main.
void run(int argc, char** argv, double entered) {
  CLI::App app(description, "predictor");
  app.footer(footer);
  app.set_version_flag("--version", std::string("predictor ") + kit::version);
  kit::predictor::Action action;
  kit::predictor::add_run(app, action);
  kit::predictor::add_verify(app, action);
  kit::predictor::add_inspect(app, action);
  kit::predictor::add_bench(app, action);
  kit::predictor::add_bench_start(app, action, entered);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {
    // --help or --version, of the program or of a command.
    std::ostringstream text;
    app.exit(asked, text, text);
    kit::predictor::print(text.str());
    return;
  } catch (const CLI::ParseError& error) {
    const std::vector<CLI::App*> chosen = app.get_subcommands();
    const std::string command = chosen.empty() ? "predictor" : "predictor " + chosen.front()->get_name();
    std::string message = error.what();
    while (!message.empty() && (message.back() == '\n' || message.back() == '.')) message.pop_back();
    throw kit::Error(kit::ErrorCode::usage, message + "; see " + command + " --help");
  }
  if (!action)
    throw kit::Error(kit::ErrorCode::usage,
                     "a command is missing: run, verify, inspect or bench; see predictor --help");
  action();
}

}  // namespace

int main(int argc, char** argv) {
  const double entered =
      std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  // A reader that has enough, such as head, ends us as it ends other tools, even if our parent ignores the
  // signal.
  std::signal(SIGPIPE, SIG_DFL);
  try {
    run(argc, argv, entered);
    return 0;
  } catch (const kit::Error& error) {
    report("error", error.what());
    return static_cast<int>(error.code());
  } catch (const std::bad_alloc&) {
    report("error", "there is not enough memory; try smaller batches with --batch");
    return static_cast<int>(kit::ErrorCode::unavailable);
  } catch (const std::exception& error) {
    report("error", std::string("this is a fault of kit: ") + error.what());
  }
  return static_cast<int>(kit::ErrorCode::internal);
}
