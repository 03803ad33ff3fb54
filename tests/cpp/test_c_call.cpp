#include "bench/c_call.h"

#include <cstddef>
#include <cstdint>

#include <gtest/gtest.h>

#include "expect_error.h"

namespace kit::bench {
namespace {

using test::expect_error;

int one(int* called) { return ++*called > 2 ? 7 : 0; }

int five(int* sum, std::size_t a, const int* b, std::size_t c, const int* d) {
  *sum += static_cast<int>(a) + *b + static_cast<int>(c) + *d;
  return 0;
}

void* eight(int* sum, int* b, int* c, int* d, std::size_t e, int* f, std::size_t g, int* h) {
  *sum = *b + 10 * *c + 100 * *d + 1000 * static_cast<int>(e) + 10000 * *f + 100000 * static_cast<int>(g);
  return *h == 0 ? nullptr : h;
}

template <typename Function>
std::uintptr_t address(Function* function) {
  return reinterpret_cast<std::uintptr_t>(function);
}

TEST(CCall, ArgumentsArriveInTheirOrder) {
  int sum = 0;
  int b = 2;
  int d = 4;
  CCall{address(&five), {address(&sum), 1, address(&b), 3, address(&d)}, false}.bound()();
  EXPECT_EQ(sum, 10);
  int n[]{1, 2, 3, 5, 0};
  CCall{address(&eight),
        {address(&sum), address(n), address(n + 1), address(n + 2), 4, address(n + 3), 6, address(n + 4)},
        true}
      .bound()();
  EXPECT_EQ(sum, 654321);
}

TEST(CCall, AResultOtherThanZeroIsAnError) {
  int called = 0;
  const auto call = CCall{address(&one), {address(&called)}, false}.bound();
  call();
  call();
  expect_error(ErrorCode::internal, "7", call);
  int n[]{1, 2, 3, 5, 1};
  int sum = 0;
  expect_error(
      ErrorCode::internal, "failed",
      CCall{address(&eight),
            {address(&sum), address(n), address(n + 1), address(n + 2), 4, address(n + 3), 6, address(n + 4)},
            true}
          .bound());
}

TEST(CCall, WhatCannotBeCalledIsRefused) {
  expect_error(ErrorCode::usage, "address 0", [] { CCall{}.bound(); });
  expect_error(ErrorCode::usage, "0 came", [] { CCall{address(&one), {}, false}.bound(); });
  expect_error(ErrorCode::usage, "9 came", [] {
    CCall{address(&one), std::vector<std::uintptr_t>(9), false}.bound();
  });
}

}  // namespace
}  // namespace kit::bench
