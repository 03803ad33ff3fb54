#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "native_archive.h"
#include "predictor_test.h"

namespace kit::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

/// The executable on an archive with a native program: it needs no libtorch. No test says how long a thing
/// takes.
class PredictorBench : public PredictorTest {
 protected:
  PredictorBench() { dir.write("model.pt", NativeArchive({"x86-64-v2"}).build()); }

  static constexpr const char* brief = "bench model.pt --seconds 0.01 --starts 1 --threads 1,2 --batch 1,3 ";
};

TEST_F(PredictorBench, MeasuresEverything) {
  const Outcome outcome = call(std::string(brief) + "--output now.json");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  for (const char* part : {"native for x86-64-v2 on cpu", "Start, in 1 fresh process (batch = 1), ms",
                           "process (exec to main)", "library load             –", "third call",
                           "Latency of a call", "batch = 3", "2 threads", "Peak memory"})
    EXPECT_THAT(outcome.out, HasSubstr(part));
  const json document = json::parse(dir.read("now.json"));
  EXPECT_EQ(document.at("format"), "kit-bench");
  EXPECT_EQ(document.at("program").at("engine"), "native");
  EXPECT_EQ(document.at("program").at("target"), "x86-64-v2");
  EXPECT_EQ(document.at("program").at("digest").get<std::string>().size(), 64U);
  EXPECT_EQ(document.at("start").at("runs"), 1);
  const json& parts = document.at("start").at("milliseconds");
  for (const char* part : {"process", "archive", "program", "first", "second", "third", "to_first", "whole"})
    EXPECT_GT(parts.at(part).at("median").get<double>(), 0) << part;
  EXPECT_FALSE(parts.contains("library"));
  ASSERT_EQ(document.at("latency").size(), 2U);
  EXPECT_EQ(document.at("latency").at(1).at("sizes").at("batch"), 3);
  EXPECT_EQ(document.at("throughput").size(), 4U);
  EXPECT_EQ(document.at("throughput").at(3).at("rows"), 3);
  EXPECT_EQ(document.at("memory").size(), 2U);
}

TEST_F(PredictorBench, ComparesAndFailsBeyondTheLimit) {
  ASSERT_EQ(call(std::string(brief) + "--output old.json").code, 0);
  const Outcome lenient = call(std::string(brief) + "--compare old.json --fail-above 1e9");
  EXPECT_EQ(lenient.code, 0) << lenient.err;
  EXPECT_THAT(lenient.out, HasSubstr("Now over old.json"));
  const Outcome strict = call(std::string(brief) + "--compare old.json --fail-above 1e-9 --json");
  EXPECT_EQ(strict.code, 5);
  EXPECT_THAT(strict.err, HasSubstr("predictor: error: model.pt: "));
  EXPECT_THAT(strict.err, HasSubstr(" times what it was in old.json"));
  const json compared = json::parse(strict.out).at("compared");
  EXPECT_EQ(compared.at("ratios").size(), 16U);
  EXPECT_TRUE(compared.at("ratios").at(0).at("beyond").get<bool>());
}

TEST_F(PredictorBench, MeasuresAFileWhateverItsName) {
  dir.write("\xFF.pt", NativeArchive({"x86-64-v2"}).build());
  const Outcome outcome = call("bench \xFF.pt --seconds 0.01 --starts 1 --threads 1 --batch 1 --json");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(json::parse(outcome.out).at("start").at("runs"), 1);
}

TEST_F(PredictorBench, RefusesWhatCannotBeMeasured) {
  for (const char* seconds : {"0", "-1", "nan", "inf", "x"})
    refuse(2, std::string("bench model.pt --seconds ") + seconds, {"--seconds"});
  refuse(2, "bench model.pt --threads 0", {"--threads 0"});
  refuse(2, "bench model.pt --threads 1,x", {"--threads"});
  refuse(2, "bench model.pt --starts 0", {"--starts"});
  refuse(2, "bench model.pt --compare old.json --fail-above 0", {"--fail-above"});
  refuse(2, "bench model.pt --fail-above 1.2", {"--fail-above", "--compare"});
  refuse(2, "bench model.pt --batch 1,5", {"model.pt: --batch 5", "'batch' is in 1..4"});
  refuse(2, "bench model.pt --batch 0", {"--batch 0"});
  refuse(6, "bench model.pt --engine aoti", {"aoti"});
  refuse(6, "bench model.pt --target x86-64-v3 --engine native", {"x86-64-v3"});
  refuse(2, "bench model.pt --engine fast", {"fast"});
  refuse(2, "bench model.pt --method encode", {"encode"});
  refuse(2, "bench model.pt --output no/such.json", {"no/such.json"});
  refuse(2, "bench", {"MODEL", "bench --help"});
  refuse(2, "bench model.pt --compare none.json", {"none.json"});
  refuse(2, "bench model.pt --compare model.pt", {"model.pt is no result of predictor bench"});
  dir.write("other.json", R"({"format":"kit-bench","version":1,"model":{"name":"cnn"}})");
  refuse(2, "bench model.pt --compare other.json", {"other.json is of another model: its name is cnn"});
  refuse(2, "bench-start x y", {"run predictor bench"});
}

}  // namespace
}  // namespace kit::test
