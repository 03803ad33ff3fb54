#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <kit/error.h>

namespace kit::test {

/// What a message must hold: one text, or several.
class Parts {
 public:
  Parts(const char* text) : texts_{text} {}
  Parts(std::string text) : texts_{std::move(text)} {}
  Parts(std::vector<std::string> texts) : texts_(std::move(texts)) {}
  Parts(std::initializer_list<std::string> texts) : texts_(texts) {}

  const std::vector<std::string>& texts() const { return texts_; }

 private:
  std::vector<std::string> texts_;
};

/// Runs the action, which must throw an error of this code whose one-line message holds the parts.
template <typename Action>
void expect_error(ErrorCode code, const Parts& parts, Action action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    for (const std::string& text : parts.texts()) EXPECT_THAT(error.what(), testing::HasSubstr(text));
    EXPECT_THAT(error.what(), testing::Not(testing::HasSubstr("\n")));
    return;
  }
  ADD_FAILURE() << "nothing was thrown; wanted an error with: " << testing::PrintToString(parts.texts());
}

}  // namespace kit::test
