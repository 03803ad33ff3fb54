#pragma once

#include <vector>

#include "io/spool.h"
#include "io/writer.h"

namespace kit::io {

/// Writes a .safetensors file: every output by its name. The sizes come first in the file and each tensor
/// lies in one piece, so everything waits in a spool until the last call.
class SafetensorsWriter final : public Writer {
 public:
  SafetensorsWriter(OutputFile& output, const Signature& signature, bool by_row);

  void write(const std::vector<Tensor>& outputs) override;
  void close() override;

 private:
  struct Part {
    DType dtype;
    Shape shape;  ///< with the rows so far
    Spool spool;
  };

  OutputFile& output_;
  const Signature& signature_;
  bool by_row_;
  bool started_ = false;
  std::vector<Part> parts_;
};

}  // namespace kit::io
