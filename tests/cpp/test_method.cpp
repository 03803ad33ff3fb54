#include <gtest/gtest.h>

#include <kit/archive.h>

#include "archive_builder.h"
#include "core/safetensors.h"
#include "expect_error.h"

namespace kit {
namespace {

using test::ArchiveBuilder;
using test::expect_error;

/// The builder's archive with a second method "triple" of float32[2], which has a golden case of its own.
ArchiveBuilder two_methods() {
  ArchiveBuilder builder;
  const nlohmann::json spec{{"dtype", "float32"}, {"shape", {2}}};
  nlohmann::json x = spec;
  nlohmann::json y = spec;
  x["name"] = "x";
  y["name"] = "y";
  builder.manifest["methods"]["triple"] = {
      {"signature", {{"dims", nlohmann::json::object()}, {"inputs", {x}}, {"outputs", {y}}}},
      {"cases", {{"count", 1}, {"seed", INT64_MAX}}},
      {"tolerances", {{"float32", {{"rtol", 0.5}, {"atol", 0}}}}}};
  const std::vector<float> values{1, 2, 3, 6};
  const std::string header = safetensors::serialize_header(
      {{"0.inputs.x", DType::float32, {2}, 0, 8}, {"0.outputs.y", DType::float32, {2}, 8, 16}});
  builder.members.emplace_back("extra/kit/methods/triple/cases.safetensors",
                               header + std::string(reinterpret_cast<const char*>(values.data()), 16));
  return builder;
}

Archive open(const ArchiveBuilder& builder) {
  return Archive::from_bytes(test::bytes_of(builder.build()), "here.pt");
}

TEST(Method, ForwardIsWhatTheManifestItselfSays) {
  const Archive archive = open(ArchiveBuilder());
  ASSERT_EQ(archive.manifest()->methods.size(), 1U);
  const Method& forward = archive.manifest()->method("forward");
  EXPECT_EQ(forward.name, "forward");
  EXPECT_EQ(forward.cases, 1);
  EXPECT_FALSE(forward.seed.has_value());
  EXPECT_TRUE(forward.tried.empty());
  EXPECT_DOUBLE_EQ(forward.tolerances.at(DType::float32).rtol, 1.3e-6);
  EXPECT_EQ(forward.signature.str(forward.signature.inputs.at(0)), "float32[batch, 2]");
  EXPECT_EQ(forward.signature.dims.at(0).max, 4);
}

TEST(Method, OthersHaveTheirOwn) {
  const Archive archive = open(two_methods());
  const Method& triple = archive.manifest()->method("triple");
  EXPECT_EQ(archive.manifest()->methods.front().name, "forward");
  EXPECT_EQ(triple.seed, INT64_MAX);
  EXPECT_DOUBLE_EQ(triple.tolerances.at(DType::float32).rtol, 0.5);
  EXPECT_EQ(triple.signature.str(triple.signature.outputs.at(0)), "float32[2]");
  EXPECT_EQ(archive.cases("triple").at(0).outputs.at(0).data_as<float>()[1], 6);
  EXPECT_EQ(archive.cases().at(0).outputs.at(0).data_as<float>()[3], 8);
}

TEST(Method, ThoseThereAreAreNamed) {
  const Archive archive = open(two_methods());
  const char* message = "the model 'double' has no method 'quarter'; give one that it has: forward, triple";
  expect_error(ErrorCode::usage, message, [&] { archive.manifest()->method("quarter"); });
  expect_error(ErrorCode::usage, message, [&] { archive.cases("quarter"); });
}

TEST(Method, CasesThatAreMissingAreNamed) {
  ArchiveBuilder builder = two_methods();
  builder.members.pop_back();
  expect_error(ErrorCode::archive, "no member 'extra/kit/methods/triple/cases.safetensors'",
               [&] { open(builder).cases("triple"); });
  builder.manifest["methods"]["triple"]["cases"]["count"] = 0;
  expect_error(ErrorCode::archive, "no golden cases to replay for 'triple'",
               [&] { open(builder).cases("triple"); });
}

TEST(Method, KeepsTheSizesThatWereTried) {
  ArchiveBuilder builder;
  builder.manifest["signature"]["dims"]["batch"]["tried"] = {1, 2, 4};
  const auto tried = open(builder).manifest()->method("forward").tried;
  EXPECT_EQ(tried.at("batch"), (std::vector<std::int64_t>{1, 2, 4}));
  builder.manifest["signature"]["dims"]["batch"]["tried"] = {1, "two"};
  expect_error(ErrorCode::archive, "a size that was tried of dim 'batch' is no count",
               [&] { open(builder); });
}

TEST(Method, WhatIsWrongIsSaidWithItsName) {
  ArchiveBuilder builder = two_methods();
  builder.manifest["methods"]["triple"].erase("cases");
  expect_error(ErrorCode::archive, "here.pt: bad manifest: method 'triple': it has no 'cases'",
               [&] { open(builder); });
  for (const char* name : {"forward", "", "2d", "a/b", "..", "a b"}) {
    builder = two_methods();
    builder.manifest["methods"][name] = builder.manifest["methods"]["triple"];
    expect_error(ErrorCode::archive, "which is no name of a further method", [&] { open(builder); });
  }
}

}  // namespace
}  // namespace kit
