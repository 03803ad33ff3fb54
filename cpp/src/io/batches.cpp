#include "io/batches.h"

#include <algorithm>
#include <cstring>

#include <kit/error.h>

namespace kit::io {

namespace {

std::int64_t row_count(const std::vector<Tensor>& tensors) { return tensors.front().shape().front(); }

std::string rows_text(std::int64_t rows) { return std::to_string(rows) + (rows == 1 ? " row" : " rows"); }

bool same_rows(const std::vector<Tensor>& left, const std::vector<Tensor>& right) {
  return std::equal(left.begin(), left.end(), right.begin(), [](const Tensor& a, const Tensor& b) {
    return std::equal(a.shape().begin() + 1, a.shape().end(), b.shape().begin() + 1, b.shape().end());
  });
}

}  // namespace

Batches::Batches(Reader& reader, const Signature& signature, const Batching& batching, std::string where)
    : reader_(reader), signature_(signature), batching_(batching), where_(std::move(where)) {}

std::optional<std::vector<Tensor>> Batches::next() {
  std::optional<Inputs> inputs;
  switch (batching_.kind) {
    case Batching::Kind::whole:
      inputs = reader_.next(1);
      break;
    case Batching::Kind::fixed:
      inputs = next_fixed();
      break;
    case Batching::Kind::rows:
      inputs = next_rows();
      break;
  }
  if (inputs) rows_ += batching_.by_row() ? row_count(*inputs) : 1;
  return inputs;
}

std::optional<std::vector<Tensor>> Batches::next_fixed() {
  std::optional<Inputs> inputs = reader_.next(batching_.size);
  if (inputs && row_count(*inputs) != batching_.size)
    throw Error(ErrorCode::input, where_ + ": the model takes exactly " + rows_text(batching_.size) +
                                      " at a time, but the file has " +
                                      rows_text(rows_ + row_count(*inputs)) + "; give a multiple of " +
                                      std::to_string(batching_.size));
  return inputs;
}

std::optional<std::vector<Tensor>> Batches::next_rows() {
  if (!started_) {
    started_ = true;
    ahead_ = reader_.next(batching_.size);
    if (!ahead_) return no_rows();
  }
  if (!ahead_) return std::nullopt;
  Inputs current = std::move(*ahead_);
  ahead_ = reader_.next(batching_.size);
  if (ahead_ && !batching_.cuts)
    throw Error(ErrorCode::input,
                where_ +
                    ": the rows of a call of this model depend on one another, and these are no single "
                    "call: they are more than " +
                    std::to_string(batching_.size) +
                    ", or of several shapes; give fewer, or choose with --batch how they are cut");
  if (ahead_ && row_count(*ahead_) < batching_.min) even_out(current);
  if (row_count(current) < batching_.min)
    throw Error(ErrorCode::input, where_ + ": the model takes " + rows_text(batching_.min) +
                                      " or more at a time, but only " + rows_text(row_count(current)) +
                                      (rows_ == 0 && !ahead_ ? " came" : " of the same shape came in a row") +
                                      "; give more rows");
  return current;
}

/// Gives the batch ahead, which is too small, the rows it lacks from `current`.
void Batches::even_out(Inputs& current) {
  if (!same_rows(current, *ahead_)) return;
  const std::int64_t before = row_count(current);
  const std::int64_t after = row_count(*ahead_);
  const std::int64_t total = before + after;
  const std::int64_t lacking = batching_.min - after;
  if (before - lacking < batching_.min && total > batching_.max)
    throw Error(ErrorCode::input, where_ + ": the last " + rows_text(total) +
                                      " cannot be cut into batches of " + std::to_string(batching_.min) +
                                      " to " + std::to_string(batching_.max) +
                                      "; choose another size with --batch, or give more rows");
  const bool one_call = before - lacking < batching_.min;
  for (std::size_t i = 0; i < current.size(); ++i) {
    if (one_call) {
      current[i] = concatenate(current[i], (*ahead_)[i]);
    } else {
      (*ahead_)[i] = concatenate(current[i].slice(before - lacking, before), (*ahead_)[i]);
      current[i] = current[i].slice(0, before - lacking);
    }
  }
  if (one_call) ahead_.reset();
}

/// An empty call, where the model takes 0 rows and the shape of a row is known.
std::optional<std::vector<Tensor>> Batches::no_rows() const {
  if (batching_.min > 0) return std::nullopt;
  Inputs inputs;
  for (const TensorSpec& spec : signature_.inputs) {
    if (!spec.shape) return std::nullopt;
    Shape shape{0};
    for (std::size_t i = 1; i < spec.shape->size(); ++i) {
      if ((*spec.shape)[i].dim >= 0) return std::nullopt;
      shape.push_back((*spec.shape)[i].size);
    }
    inputs.push_back(Tensor::empty(spec.dtype.value_or(DType::float32), std::move(shape)));
  }
  return inputs;
}

Tensor concatenate(const Tensor& first, const Tensor& second) {
  Shape shape = first.shape();
  shape.front() += second.shape().front();
  Tensor result = Tensor::empty(first.dtype(), std::move(shape));
  char* at = static_cast<char*>(result.data());
  for (const Tensor* part : {&first, &second}) {
    if (part->nbytes() == 0) continue;
    std::memcpy(at, part->data(), part->nbytes());
    at += part->nbytes();
  }
  return result;
}

}  // namespace kit::io
