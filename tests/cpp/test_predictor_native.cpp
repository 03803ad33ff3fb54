#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "environment.h"
#include "native_archive.h"
#include "predictor_test.h"

namespace kit::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

/// The executable with archives that have native programs: it needs no libtorch for them.
class PredictorNative : public PredictorTest {
 protected:
  PredictorNative() {
    dir.write("model.pt", NativeArchive({"x86-64-v2", "x86-64-v3"}).build());
    dir.write("in.csv", "1,2\n3,4\n");
  }

  const TempDir state_;
  const Environment home_{"XDG_STATE_HOME", state_.str()};
  const Environment isa_{"KIT_ISA", "x86-64-v2"};
};

TEST_F(PredictorNative, Runs) {
  const Outcome outcome = call("run model.pt --input in.csv -v");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, "y.0,y.1\n2,4\n6,8\n");
  EXPECT_THAT(outcome.err, HasSubstr("predictor: runs native for x86-64-v2 on cpu, 1 thread\n"));
  EXPECT_THAT(outcome.err, HasSubstr("note: native: made for x86-64-v3, and this host has x86-64-v2\n"));
  EXPECT_EQ(call("run model.pt --input in.csv --engine native").err, "");
}

TEST_F(PredictorNative, SaysWhatDoesNotCount) {
  const Outcome outcome = call("run model.pt --input in.csv --freeze");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("warning: the native program for x86-64-v2 is run, for which '"));
  EXPECT_THAT(call("run model.pt --input in.csv --threads 2").err, HasSubstr("cannot be divided"));
  EXPECT_EQ(call("run model.pt --input in.csv --threads 1").err, "");
  EXPECT_EQ(call("run model.pt --input in.csv --threads 0").err, "");
}

TEST_F(PredictorNative, AProgramBeyondTheHostIsCodeSix) {
  dir.write("large.pt", NativeArchive({"x86-64-v4"}).build());
  refuse(6, "run large.pt --input in.csv --engine native",
         {"large.pt: no program can be run here: native: made for x86-64-v4, and this host has x86-64-v2"});
  refuse(6, "verify large.pt --engine native", {"made for x86-64-v4"});
  refuse(6, "run model.pt --input in.csv --engine native --device cuda", {"the device is cuda:0"});
  const Environment wrong("KIT_ISA", "sse");
  refuse(2, "run model.pt --input in.csv", {"KIT_ISA=sse"});
  refuse(2, "inspect model.pt", {"KIT_ISA=sse"});
}

TEST_F(PredictorNative, InspectShowsWhatThisHostCanRun) {
  const Outcome outcome = call("inspect model.pt");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("native  for x86-64-v2, made with torch 2.13.0, "));
  EXPECT_THAT(outcome.out, HasSubstr(" bytes and 8 of constants: runs here\n"));
  EXPECT_THAT(outcome.out, HasSubstr(": cannot run here: made for x86-64-v3, and this host has x86-64-v2\n"));
  const Outcome lines = call("inspect model.pt --programs");
  EXPECT_THAT(lines.out, HasSubstr("native  for x86-64-v3"));
  EXPECT_THAT(lines.out, Not(HasSubstr("tolerances")));
  const json document = json::parse(call("inspect model.pt --programs --json").out);
  EXPECT_EQ(document.at("host").at("isa"), "x86-64-v2");
  const json& programs = document.at("programs");
  ASSERT_EQ(programs.size(), 3U);
  EXPECT_EQ(programs[1].at("target"), "x86-64-v2");
  EXPECT_TRUE(programs[1].at("runs").get<bool>());
  EXPECT_TRUE(programs[1].at("verified").get<bool>());
  EXPECT_FALSE(programs[2].at("runs").get<bool>());
  EXPECT_EQ(programs[2].at("obstacle"), "made for x86-64-v3, and this host has x86-64-v2");
  refuse(2, "inspect model.pt --programs --graph", {"--programs"});
}

TEST_F(PredictorNative, VerifiesTheOneThatIsTaken) {
  const Outcome outcome = call("verify model.pt");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("native for x86-64-v2: 1 case, all outputs bit-equal to eager\n"));
  EXPECT_TRUE(state_.names().empty());
}

/// The TorchScript program of these archives is none: only native ones are in the manifest.
TEST_F(PredictorNative, VerifiesAllThatCanRun) {
  NativeArchive builder({"x86-64-v2", "x86-64-v3"});
  builder.manifest["programs"].erase(0);
  dir.write("natives.pt", builder.build());
  const Outcome outcome = call("verify natives.pt --all");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("native for x86-64-v2: 1 case, all outputs bit-equal"));
  EXPECT_THAT(outcome.out,
              HasSubstr("native for x86-64-v3: cannot run here: made for x86-64-v3, and this host "
                        "has x86-64-v2\n"));
  const json document = json::parse(call("verify natives.pt --all --json").out);
  EXPECT_TRUE(document.at("passed").get<bool>());
  EXPECT_EQ(document.at("programs").at(0).at("target"), "x86-64-v2");
  EXPECT_EQ(document.at("programs").at(1).at("unavailable"),
            "made for x86-64-v3, and this host has x86-64-v2");

  builder.manifest["programs"].erase(0);
  dir.write("beyond.pt", builder.build());
  const Outcome nothing = call("verify beyond.pt --all --json");
  EXPECT_EQ(nothing.code, 6);
  EXPECT_FALSE(json::parse(nothing.out).at("passed").get<bool>());
  EXPECT_THAT(nothing.err,
              HasSubstr("beyond.pt: none of its programs can be verified here: native for x86-64-v3: "
                        "made for x86-64-v3, and this host has x86-64-v2"));
}

TEST_F(PredictorNative, ADifferenceIsCodeFive) {
  NativeArchive builder({"x86-64-v2"}, NativeProgram().set_bias(1));
  builder.program()["verified"] = false;
  dir.write("differs.pt", builder.build());
  const Outcome outcome = call("verify differs.pt");
  EXPECT_EQ(outcome.code, 5);
  EXPECT_THAT(outcome.err, HasSubstr("native for x86-64-v2 differs from eager in case 0, output 'y'"));
  EXPECT_TRUE(state_.names().empty()) << "it is not verified";
}

TEST_F(PredictorNative, AnUnverifiedProgramIsCalledSoUntilItIsVerified) {
  NativeArchive builder;
  builder.program()["verified"] = false;
  dir.write("new.pt", builder.build());
  EXPECT_THAT(call("run new.pt --input in.csv").err,
              HasSubstr("warning: new.pt: the native program for x86-64-v2 "
                        "is unverified"));
  EXPECT_THAT(call("inspect new.pt").out, HasSubstr("unverified: runs here"));
  {
    const Environment none("XDG_STATE_HOME", std::nullopt);
    const Environment nowhere("HOME", std::nullopt);
    const Outcome outcome = call("verify new.pt");
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.out,
                HasSubstr("It stays unverified, which cannot be noted: there is no home directory"));
  }
  EXPECT_THAT(call("run new.pt --input in.csv").err, HasSubstr("unverified"));
  EXPECT_THAT(call("verify new.pt").out, HasSubstr("noted as verified on this host from now on"));
  EXPECT_EQ(call("run new.pt --input in.csv").err, "");
  EXPECT_THAT(call("inspect new.pt").out, Not(HasSubstr("unverified")));
  EXPECT_THAT(call("verify new.pt").out, Not(HasSubstr("noted")));
}

TEST_F(PredictorNative, MapsNoLibtorch) {
  const Outcome outcome = call("run model.pt --input in.csv", "LD_DEBUG=files LD_DEBUG_OUTPUT=loader");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  std::string log;
  for (const std::string& name : dir.names())
    if (name.starts_with("loader.")) log += dir.read(name);
  EXPECT_THAT(log, HasSubstr("libkit-core.so"));
  EXPECT_THAT(log, Not(HasSubstr("libkit-torch")));
  EXPECT_THAT(log, Not(HasSubstr("libc10")));
}

}  // namespace
}  // namespace kit::test
