#pragma once

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <kit/error.h>

namespace kit::test {

/// Runs the action, which must throw an error of this code whose one-line message holds the text.
template <typename Action>
void expect_error(ErrorCode code, const std::string& text, Action action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_THAT(error.what(), testing::HasSubstr(text));
    EXPECT_THAT(error.what(), testing::Not(testing::HasSubstr("\n")));
    return;
  }
  ADD_FAILURE() << "nothing was thrown; wanted an error with: " << text;
}

}  // namespace kit::test
