// What tools/endure runs: one campaign in a process of its own, of which it prints the outcome as JSON.

#include <cstdio>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <kit/error.h>

#include "endurance/campaigns.h"

namespace {

using namespace kit::endurance;

struct Asked {
  std::vector<std::string> archives;
  std::vector<std::string> engines{"native"};
  int threads = 2;
  std::int64_t count = 1000;
  double seconds = 1e9;
  std::uint64_t seed = 1;
  bool one_thread = false;
};

std::vector<Subject> subjects_of(const Asked& asked) {
  kit::Configuration configuration;
  if (asked.one_thread) configuration.threads = 1;
  std::vector<Subject> subjects;
  for (const std::string& archive : asked.archives)
    for (const std::string& engine : asked.engines)
      subjects.emplace_back(archive, kit::engine_from_name(engine), configuration);
  return subjects;
}

int report(const Outcome& outcome) {
  std::printf("{\"done\": %lld, \"wrong\": %lld, \"seconds\": %.3f, \"before\": %s, \"after\": %s}\n",
              static_cast<long long>(outcome.done), static_cast<long long>(outcome.wrong), outcome.seconds,
              outcome.before.json().c_str(), outcome.after.json().c_str());
  return outcome.wrong == 0 ? 0 : 5;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Puts a loaded model under stress and says what became of it");
  Asked asked;
  app.require_subcommand(1);
  CLI::App* const threads = app.add_subcommand("threads", "one model, predicted from many threads at once");
  CLI::App* const cycles = app.add_subcommand("cycles", "load, predict and destroy, again and again");
  CLI::App* const mixed = app.add_subcommand("mixed", "load, predict, move and destroy in many threads");
  for (CLI::App* one : {threads, cycles, mixed}) {
    one->add_option("archives", asked.archives)->required();
    one->add_option("--engine", asked.engines, "one or several")->delimiter(',');
    one->add_option("--threads", asked.threads);
    one->add_option("--count", asked.count, "predictions, cycles, or steps of each thread");
    one->add_option("--seconds", asked.seconds, "cycles end then");
    one->add_option("--seed", asked.seed);
    one->add_flag("--one-thread", asked.one_thread, "in an operation");
  }
  CLI11_PARSE(app, argc, argv);
  try {
    const std::vector<Subject> subjects = subjects_of(asked);
    if (threads->parsed())
      return report(predict_at_once(subjects.front(), asked.threads, asked.count, asked.seed));
    if (cycles->parsed()) return report(load_again_and_again(subjects.front(), asked.count, asked.seconds));
    return report(interleave(subjects, asked.threads, asked.count, asked.seed));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "endure: error: %s\n", error.what());
    return 1;
  }
}
