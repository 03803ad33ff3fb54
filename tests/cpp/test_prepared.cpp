#include "program/prepared.h"

#include <array>
#include <latch>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "child.h"

namespace kit::program {
namespace {

constexpr char form[] = "a form", other[] = "another form";

Prepared::Key key(const char* name, std::int64_t number = 0) { return {name, nullptr, {number}}; }

/// Its one number; `number` is what it has if it is made now.
int get(Prepared& prepared, const Prepared::Key& wanted, int number) {
  return *static_cast<const int*>(
      prepared.get(wanted, sizeof(int), [=](void* memory) { *static_cast<int*>(memory) = number; }));
}

TEST(Prepared, EachFormIsMadeOnce) {
  Prepared prepared;
  EXPECT_EQ(get(prepared, key(form), 1), 1);
  EXPECT_EQ(get(prepared, key(form), 2), 1);
  EXPECT_EQ(get(prepared, key(form, 7), 3), 3);
  EXPECT_EQ(get(prepared, key(other), 4), 4);
  EXPECT_EQ(get(prepared, key(form), 5), 1);
}

TEST(Prepared, WhatIsThrownLeavesNothing) {
  Prepared prepared;
  EXPECT_THROW(prepared.get(key(form), sizeof(int), [](void*) { throw 1; }), int);
  EXPECT_EQ(get(prepared, key(form), 2), 2);
}

TEST(Prepared, CallsAtOnceGetTheSame) {
  Prepared prepared;
  constexpr int count = 8;
  std::latch all(count);  // all make one, for none is there yet
  std::array<const void*, count> found{};
  std::vector<std::thread> threads;
  threads.reserve(count);
  for (int i = 0; i < count; ++i)
    threads.emplace_back([&, i] {
      found[static_cast<std::size_t>(i)] = prepared.get(key(form), sizeof(int), [&](void* memory) {
        *static_cast<int*>(memory) = 3;
        all.arrive_and_wait();
      });
    });
  for (std::thread& thread : threads) thread.join();
  for (const void* one : found) EXPECT_EQ(one, found[0]);
  EXPECT_EQ(get(prepared, key(form), 4), 3);
}

TEST(Prepared, AChildDoesNotWaitForAThreadOfItsParent) {
  Prepared prepared;
  std::latch making(2), forked(2);
  std::thread thread([&] {
    prepared.get(key(form), sizeof(int), [&](void* memory) {
      *static_cast<int*>(memory) = 1;
      making.arrive_and_wait();
      forked.arrive_and_wait();
    });
  });
  making.arrive_and_wait();
  EXPECT_EQ(test::in_child([&] { return std::to_string(get(prepared, key(form), 2)); }), "2");
  forked.arrive_and_wait();
  thread.join();
  EXPECT_EQ(get(prepared, key(form), 3), 1);
}

}  // namespace
}  // namespace kit::program
