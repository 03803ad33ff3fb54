#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <kit/error.h>
#include <kit/signature.h>
#include <kit/tensor.h>

#include "expect_error.h"
#include "io/batching.h"
#include "io/format.h"
#include "io/input_file.h"
#include "io/output_file.h"
#include "io/reader.h"
#include "io/writer.h"

/// A shape entry of -1 is the dim "batch" (index 0), of -2 the dim "time" (index 1).
inline kit::TensorSpec spec(const std::string& name, kit::DType dtype, std::initializer_list<int> shape) {
  std::vector<kit::DimSpec> sizes;
  for (const int size : shape)
    sizes.push_back(size < 0 ? kit::DimSpec{0, -size - 1} : kit::DimSpec{size, -1});
  return {name, dtype, sizes};
}

inline kit::TensorSpec unknown_spec(const std::string& name) { return {name, std::nullopt, std::nullopt}; }

inline kit::Signature signature(std::vector<kit::TensorSpec> inputs, std::vector<kit::TensorSpec> outputs,
                                std::int64_t min = 1, std::int64_t max = 4096) {
  return {std::move(inputs), std::move(outputs), {{"batch", min, max}, {"time", 1, 100}}};
}

using kit::test::expect_error;

template <typename T>
std::vector<T> values(const kit::Tensor& tensor) {
  const T* data = tensor.data_as<T>();
  return std::vector<T>(data, data + tensor.numel());
}

inline std::unique_ptr<kit::io::Reader> reader(kit::io::Format format, const std::string& path,
                                               const kit::Signature& signature) {
  return kit::io::open_reader(format, kit::io::InputFile(path), signature,
                              kit::io::Batching::of(signature, format).kind);
}

/// Writes the outputs of the calls to `path`, as a run of the predictor would.
inline void write_all_calls(kit::io::Format format, const std::string& path, const kit::Signature& signature,
                            bool by_row, const std::vector<std::vector<kit::Tensor>>& calls) {
  kit::io::OutputFile file(path);
  const auto writer = kit::io::open_writer(format, file, signature, by_row);
  for (const auto& outputs : calls) writer->write(outputs);
  writer->close();
  file.commit();
}
