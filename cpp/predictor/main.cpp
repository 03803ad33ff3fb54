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
    "\n"
    "Exit codes: 0 it worked, 1 a fault of kit, 2 wrong command line, 3 bad archive, 4 bad input,\n"
    "5 outputs differ from the golden cases, 6 this host lacks the engine, the device or room on the disk.\n";

void run(int argc, char** argv) {
  CLI::App app(description, "predictor");
  app.footer(footer);
  app.set_version_flag("--version", std::string("predictor ") + kit::version);
  kit::predictor::Action action;
  kit::predictor::add_run(app, action);
  kit::predictor::add_verify(app, action);
  kit::predictor::add_inspect(app, action);
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
                     "a command is missing: run, verify or inspect; see predictor --help");
  action();
}

}  // namespace

int main(int argc, char** argv) {
  // A reader that has enough, such as head, ends us as it ends other tools, even if our parent ignores the
  // signal.
  std::signal(SIGPIPE, SIG_DFL);
  try {
    run(argc, argv);
    return 0;
  } catch (const kit::Error& error) {
    report("error", error.what());
    return static_cast<int>(error.code());
  } catch (const std::bad_alloc&) {
    report("error", "there is not enough memory; try smaller batches with --batch");
  } catch (const std::exception& error) {
    report("error", std::string("this is a fault of kit: ") + error.what());
  }
  return static_cast<int>(kit::ErrorCode::internal);
}
