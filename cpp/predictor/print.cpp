#include <algorithm>
#include <cstdio>
#include <string>

#include "commands.h"
#include "io/output_file.h"

namespace kit::predictor {

void print(std::string_view text) {
  io::OutputFile output("-");
  output.write(text);
  output.commit();
}

void report(std::string_view kind, std::string_view text) {
  std::string line = "predictor: ";
  if (!kind.empty()) line += std::string(kind) + ": ";
  line += text;
  std::replace(line.begin(), line.end(), '\n', ' ');
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace kit::predictor
