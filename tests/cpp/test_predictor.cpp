#include <elf.h>

#include <cstring>
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "predictor_test.h"

using kit::test::Outcome;
using kit::test::PredictorTest;
using nlohmann::json;

namespace {

class Predictor : public PredictorTest {
 protected:
  static std::string archive(const std::string& name) {
    return std::string("'" KIT_TEST_ARCHIVES "/") + name + ".pt'";
  }

  const std::string mlp = archive("mlp");
};

using Names = std::vector<std::string>;

/// Lines without their ends.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

std::string points_csv(int rows) {
  std::string text = "x.0,x.1,x.2\n";
  for (int i = 0; i < rows; ++i)
    text += std::to_string(i * 0.01) + "," + std::to_string(1 - i * 0.02) + ",0.5\n";
  return text;
}

/// The libraries that an ELF file says it needs.
std::set<std::string> needed(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  const auto at = [&]<typename T>(std::uint64_t offset, T value) {
    if (offset + sizeof value > bytes.size()) throw std::runtime_error(path.string() + " is cut off");
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
  };
  const auto header = at(0, Elf64_Ehdr{});
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    throw std::runtime_error(path.string() + " is no ELF file");
  std::set<std::string> names;
  for (unsigned i = 0; i < header.e_shnum; ++i) {
    const auto section = at(header.e_shoff + i * sizeof(Elf64_Shdr), Elf64_Shdr{});
    if (section.sh_type != SHT_DYNAMIC) continue;
    const auto strings = at(header.e_shoff + section.sh_link * sizeof(Elf64_Shdr), Elf64_Shdr{});
    for (std::uint64_t offset = 0; offset < section.sh_size; offset += sizeof(Elf64_Dyn)) {
      const auto entry = at(section.sh_offset + offset, Elf64_Dyn{});
      if (entry.d_tag == DT_NEEDED) names.insert(bytes.data() + strings.sh_offset + entry.d_un.d_val);
    }
  }
  return names;
}

}  // namespace

TEST_F(Predictor, LinksNoPythonAndNoTorch) {
  const std::filesystem::path executable = KIT_TEST_PREDICTOR;
  const std::set<std::string> own = needed(executable);
  EXPECT_TRUE(own.count("libkit.so")) << "the list is not read right";
  for (const std::string& name : own) EXPECT_EQ(name.find("torch"), std::string::npos) << name;
  const std::filesystem::path libraries = executable.parent_path() / "lib";
  for (const auto& path :
       {executable, libraries / "libkit.so", libraries / "libkit-core.so", libraries / "libkit-torch.so"}) {
    for (const std::string& name : needed(path)) {
      EXPECT_EQ(name.find("libpython"), std::string::npos) << path << " needs " << name;
      EXPECT_EQ(name.find("torch_python"), std::string::npos) << path << " needs " << name;
    }
  }
}

TEST_F(Predictor, HelpsAndTellsItsVersion) {
  const Outcome version = call("--version");
  EXPECT_EQ(version.code, 0);
  EXPECT_EQ(version.out.rfind("predictor ", 0), 0u);
  for (const char* command : {"", "run ", "verify ", "inspect "}) {
    const Outcome help = call(std::string(command) + "--help");
    EXPECT_EQ(help.code, 0);
    EXPECT_NE(help.out.find("Examples:"), std::string::npos);
    EXPECT_EQ(help.err, "");
  }
}

TEST_F(Predictor, AWrongCommandLineIsCodeTwo) {
  dir.write("points.csv", points_csv(3));
  refuse(2, "", {"run, verify, inspect or bench"});
  refuse(2, "frob", {"frob"});
  refuse(2, "run", {"MODEL is required", "run --help"});
  refuse(2, "run " + mlp, {"--input"});
  refuse(2, "run " + mlp + " --input points.csv --frob 1", {"--frob"});
  refuse(2, "run " + mlp + " --input none.csv", {"none.csv", "No such file"});
  refuse(2, "run " + mlp + " --input .", {"--format"});
  refuse(2, "run " + mlp + " --input . --format csv", {"is a directory"});
  refuse(2, "run " + mlp + " --input -", {"--format"});
  refuse(2, "run " + mlp + " --input points.csv --format xml", {"'xml'"});
  refuse(2, "run " + mlp + " --input points.csv --output none/out.csv", {"none", "does not exist"});
  refuse(2, "run " + mlp + " --input points.csv --output out.txt", {"out.txt", "--output-format"});
  refuse(2, "run " + mlp + " --input points.csv --engine warp", {"'warp'"});
  refuse(2, "run " + mlp + " --input points.csv --device gpu", {"'gpu'"});
  refuse(2, "run " + mlp + " --input points.csv --batch 0", {"--batch"});
  refuse(2, "run " + mlp + " --input points.csv --batch -1", {"--batch"});
  refuse(2, "run " + mlp + " --input points.csv --batch 5000", {"5000", "1 to 4096"});
  refuse(2, "run " + mlp + " --input points.csv --batch many", {"--batch"});
  refuse(2, "run " + mlp + " --input points.csv --threads -1", {"--threads"});
  refuse(2, "run " + mlp + " --input points.csv --method encode", {"no method 'encode'", "forward"});
  refuse(2, "run " + archive("plain") + " --input points.csv --method encode", {"'encode'", "forward"});
  refuse(2, "verify " + mlp + " --method encode", {"no method 'encode'", "forward"});
  refuse(2, "verify " + mlp + " --all --engine torchscript", {"--all"});
}

TEST_F(Predictor, ABadArchiveIsCodeThree) {
  dir.write("points.csv", points_csv(3));
  dir.write("random.pt", std::string(5000, 'x'));
  dir.write("empty.pt", "");
  for (const char* model : {"none.pt", ".", "random.pt", "empty.pt"}) {
    refuse(3, std::string("run ") + model + " --input points.csv --output out.csv", {});
    refuse(3, std::string("verify ") + model, {});
    refuse(3, std::string("inspect ") + model, {});
  }
  refuse(3, "inspect " + archive("future"), {"999"});
  refuse(3, "verify " + archive("plain"), {"no golden cases"});
}

TEST_F(Predictor, ABadInputIsCodeFour) {
  dir.write("columns.csv", "1,2\n");
  refuse(4, "run " + mlp + " --input columns.csv --output out.csv",
         {"columns.csv, line 1", "3 columns are wanted"});
  dir.write("text.csv", points_csv(3000) + "1,abc,2\n");
  refuse(4, "run " + mlp + " --input text.csv --output out.csv",
         {"text.csv, line 3002", "column 2 (x.1)", "'abc'"});
  dir.write("rows.csv", points_csv(3) + "1,2\n");
  refuse(4, "run " + mlp + " --input rows.csv --output out.csv", {"rows.csv, line 5"});
  refuse(4, "run " + mlp + " --input columns.csv --format npy --output out.csv", {"no .npy file"});
  refuse(4, "run " + archive("tiny") + " --input columns.csv --output out.npy", {});
}

TEST_F(Predictor, AFullDiskIsCodeSix) {
  dir.write("points.csv", points_csv(3));
  refuse(6, "run " + mlp + " --input points.csv --output /dev/full",
         {"/dev/full", "No space left on device"});
  for (const char* arguments : {"--help", "--version"}) {
    const Outcome outcome = call(std::string(arguments) + " >/dev/full");
    EXPECT_EQ(outcome.code, 6);
    EXPECT_NE(outcome.err.find("<stdout>"), std::string::npos) << outcome.err;
  }
}

TEST_F(Predictor, PredictsTheSameInEveryFormat) {
  dir.write("points.csv", points_csv(2500));
  const Outcome csv = call("run " + mlp + " --input points.csv");
  ASSERT_EQ(csv.code, 0) << csv.err;
  EXPECT_EQ(csv.err, "");
  const std::vector<std::string> lines = lines_of(csv.out);
  ASSERT_EQ(lines.size(), 2501u);
  EXPECT_EQ(lines[0], "output");

  for (const char* output : {"out.csv", "out.jsonl", "out.npy", "out.safetensors"}) {
    const Outcome outcome = call("run " + mlp + " --input points.csv --output " + output);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, "");
  }
  EXPECT_EQ(dir.read("out.csv"), csv.out);
  const std::vector<std::string> objects = lines_of(dir.read("out.jsonl"));
  ASSERT_EQ(objects.size(), 2500u);
  const std::string npy = dir.read("out.npy");
  const std::string safetensors = dir.read("out.safetensors");
  ASSERT_GT(npy.size(), 10'000u);
  EXPECT_TRUE(npy.substr(npy.size() - 10'000) == safetensors.substr(safetensors.size() - 10'000));
  for (std::size_t i = 0; i < 2500; ++i) {
    float value = 0;
    std::memcpy(&value, npy.data() + npy.size() - 10'000 + i * sizeof value, sizeof value);
    ASSERT_EQ(std::stof(lines[i + 1]), value);
    ASSERT_EQ(json::parse(objects[i]).at("output").at(0).get<float>(), value);
  }
  EXPECT_EQ(dir.names(), (Names{"out.csv", "out.jsonl", "out.npy", "out.safetensors", "points.csv"}));
}

TEST_F(Predictor, ReadsAndWritesPipes) {
  dir.write("points.csv", points_csv(2000));
  const std::string expected = call("run " + mlp + " --input points.csv").out;
  EXPECT_EQ(call("run " + mlp + " --input - --format csv", "cat points.csv |").out, expected);
  EXPECT_EQ(call("run " + mlp + " --input - --format csv --output - | cat", "cat points.csv |").out,
            expected);
  EXPECT_EQ(call("run " + mlp + " --input points.csv --output-format npy | cat > piped.npy").code, 0);
  EXPECT_EQ(call("run " + mlp + " --input points.csv --output file.npy").code, 0);
  EXPECT_TRUE(dir.read("piped.npy") == dir.read("file.npy"));
}

TEST_F(Predictor, TakesSeveralInputsAndOutputs) {
  dir.write("in.csv", "b,a.0,a.1,a.2\n10,1,2,3\n-7,4,5,6\n");
  const Outcome csv = call("run " + archive("pair") + " --input in.csv --batch 1");
  EXPECT_EQ(csv.out, "sum.0,sum.1,sum.2,count\n11,12,13,20\n-3,-2,-1,-14\n") << csv.err;
  dir.write("in.jsonl", "{\"a\": [1,2,3], \"b\": 10}\n");
  EXPECT_EQ(call("run " + archive("pair") + " --input in.jsonl").out, "{\"sum\":[11,12,13],\"count\":20}\n");
  refuse(2, "run " + archive("pair") + " --input in.csv --output out.npy", {"2 outputs", ".safetensors"});
}

TEST_F(Predictor, FeedsFixedAndEmptyBatches) {
  dir.write("four.csv", "0,0,0\n0,0,0\n0,0,0\n0,0,0\n");
  EXPECT_EQ(lines_of(call("run " + archive("fixed") + " --input four.csv").out).size(), 5u);
  dir.write("three.csv", "0,0,0\n0,0,0\n0,0,0\n");
  refuse(4, "run " + archive("fixed") + " --input three.csv", {"exactly 2 rows", "3 rows"});
  dir.write("none.csv", "a,b,c\n");
  EXPECT_EQ(call("run " + archive("empty_ok") + " --input none.csv").out, "output.0,output.1\n");
  EXPECT_EQ(call("run " + mlp + " --input none.csv").out, "output\n");
}

TEST_F(Predictor, WarnsOfWhatCannotBeChecked) {
  dir.write("in.csv", points_csv(3));
  const Outcome outcome = call("run " + archive("plain") + " --input in.csv");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(lines_of(outcome.out).size(), 4u);
  ASSERT_EQ(lines_of(outcome.err).size(), 1u);
  EXPECT_EQ(outcome.err.rfind("predictor: warning: ", 0), 0u);
  EXPECT_NE(outcome.err.find("no manifest"), std::string::npos);
}

TEST_F(Predictor, VerifiesItsCases) {
  for (const char* name : {"mlp", "pair", "fixed", "empty_ok", "tiny"}) {
    const Outcome outcome = call("verify " + archive(name));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_NE(lines_of(outcome.out).back().find("bit-equal"), std::string::npos) << outcome.out;
    EXPECT_EQ(outcome.err, "");
  }
  const Outcome outcome = call("verify " + mlp + " --all --json");
  const json document = json::parse(outcome.out);
  EXPECT_TRUE(document.at("passed").get<bool>());
  EXPECT_EQ(document.at("programs").at(0).at("engine"), "torchscript");
  EXPECT_EQ(document.at("programs").at(0).at("method"), "forward");
  EXPECT_EQ(document.at("programs").at(0).at("results").size(),
            document.at("programs").at(0).at("cases").get<std::size_t>());
}

TEST_F(Predictor, ADifferenceIsCodeFive) {
  refuse(5, "verify " + archive("differs"), {"case 0", "'output'"});
  const Outcome outcome = call("verify " + archive("differs") + " --json");
  EXPECT_EQ(outcome.code, 5);
  EXPECT_FALSE(json::parse(outcome.out).at("passed").get<bool>());
  EXPECT_NE(call("verify " + archive("differs")).out.find("DIFFERS"), std::string::npos);
}

TEST_F(Predictor, InspectsWithoutLoading) {
  const Outcome text = call("inspect " + mlp);
  EXPECT_EQ(text.code, 0) << text.err;
  for (const char* part : {"float32[batch, 3]", "1 to 4096", "torchscript", "rtol"})
    EXPECT_NE(text.out.find(part), std::string::npos) << part << " is not in " << text.out;
  const json manifest = json::parse(call("inspect " + mlp + " --json").out);
  EXPECT_EQ(manifest.at("format"), 1);
  EXPECT_EQ(manifest.at("name"), "mlp");
  const json plain = json::parse(call("inspect " + archive("plain") + " --json").out);
  EXPECT_TRUE(plain.at("format").is_null());
  EXPECT_FALSE(plain.at("members").empty());
}
