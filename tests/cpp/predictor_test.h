#pragma once

#include <stdlib.h>
#include <sys/wait.h>

#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "temp_dir.h"

namespace kit::test {

struct Outcome {
  int code;
  std::string out;
  std::string err;
};

/// Runs the executable in a directory of its own.
class PredictorTest : public testing::Test {
 protected:
  /// `arguments` and `before`, such as "cat x |", are a shell's.
  Outcome call(const std::string& arguments, const std::string& before = "") {
    const std::string command = "cd '" + dir.str() + "' && { " + before + " '" KIT_TEST_PREDICTOR "' " +
                                arguments + "; } >stdout 2>stderr";
    const int status = std::system(command.c_str());
    Outcome outcome{WIFEXITED(status) ? WEXITSTATUS(status) : -1, dir.read("stdout"), dir.read("stderr")};
    std::filesystem::remove(dir.path("stdout"));
    std::filesystem::remove(dir.path("stderr"));
    return outcome;
  }

  /// Fails unless the code is right and standard error is one line that has all these parts.
  void refuse(int code, const std::string& arguments, const std::vector<std::string>& parts) {
    const std::vector<std::string> before = dir.names();
    const Outcome outcome = call(arguments);
    EXPECT_EQ(outcome.code, code) << arguments << ": " << outcome.err;
    EXPECT_EQ(outcome.err.rfind("predictor: error: ", 0), 0u) << outcome.err;
    EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << outcome.err;
    for (const std::string& part : parts)
      EXPECT_NE(outcome.err.find(part), std::string::npos) << part << " is not in " << outcome.err;
    EXPECT_EQ(dir.names(), before) << arguments << " left something behind";
  }

  TempDir dir;
};

}  // namespace kit::test
