#include <memory>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include <kit/configuration.h>

#include "commands.h"

namespace kit::predictor {

void add_configuration(CLI::App& command, Configuration& configuration) {
  constexpr const char* group = "How the TorchScript engine runs (what is not given, the archive recommends)";
  const auto add_switch = [&](const char* option, std::optional<bool>& field, const char* what) {
    command
        .add_option_function<std::string>(
            option, [&field](const std::string& value) { field = value == "on"; }, what)
        ->check(CLI::IsMember({"on", "off"}))
        ->type_name("on|off")
        ->group(group);
  };
  add_switch(
      "--fusion", configuration.fusion,
      "on or off: chains of pointwise operations in one kernel; by default on for CUDA. On the CPU it is "
      "exact and very slow, for tests");
  command
      .add_option_function<std::string>(
          "--executor",
          [&configuration](const std::string& value) { configuration.executor = executor_from_name(value); },
          "profiling (watches the first call, then compiles), the default, or simple (compiles nothing)")
      ->check(CLI::IsMember({"profiling", "simple"}))
      ->type_name("EXECUTOR")
      ->group(group);
  // A flag that is bound to an optional would be set to false where it is not given.
  CLI::Option* freeze = command
                            .add_flag_callback(
                                "--freeze", [&configuration] { configuration.freeze = true; },
                                "Fold the weights in as constants")
                            ->group(group);
  command
      .add_flag_callback(
          "--no-freeze", [&configuration] { configuration.freeze = false; }, "Do not (the default)")
      ->excludes(freeze)
      ->group(group);
  add_switch("--tf32", configuration.tf32,
             "on or off: cuDNN may round float32 inputs of convolutions and recurrent layers to ten bits, "
             "for speed; "
             "off, if not given. aoti programs on CUDA, too");
  command.add_option("--interop-threads", configuration.interop_threads, "Threads between operations")
      ->type_name("N")
      ->group(group);
  command
      .add_option("--static-depth", configuration.static_depth,
                  "For how many sizes a fused kernel of its own is compiled; 2, if not given")
      ->type_name("N")
      ->group(group);
  command
      .add_option("--dynamic-depth", configuration.dynamic_depth,
                  "How often one for varying sizes is compiled after that; 10, if not given")
      ->type_name("N")
      ->group(group);
}

}  // namespace kit::predictor
