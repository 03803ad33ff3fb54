#include "engines/constant_text.h"

#include <algorithm>
#include <charconv>
#include <sstream>

#include <ATen/core/Tensor.h>

namespace kit {
namespace {

constexpr std::size_t longest = 80;

/// The shortest decimal that gives the number again, with a point: "1.0".
template <typename Real>
std::string real(Real number) {
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, number).ptr;
  std::string shortest(text, end);
  return shortest.find_first_not_of("-0123456789") == std::string::npos ? shortest + ".0" : shortest;
}

std::string scalar(const at::Tensor& tensor) {
  const at::Scalar value = tensor.item();
  if (value.isBoolean()) return value.toBool() ? "True" : "False";
  if (value.isIntegral(false)) return std::to_string(value.toLong());
  return tensor.scalar_type() == at::kDouble ? real(value.toDouble()) : real(value.toFloat());
}

std::string tensor_text(const at::Tensor& tensor) {
  if (!tensor.defined()) return "undefined tensor";
  const bool plain = tensor.layout() == at::kStrided && !tensor.is_complex() && !tensor.is_quantized();
  if (plain && tensor.numel() == 1) return scalar(tensor);
  std::string text = std::string(c10::toString(tensor.scalar_type())) + "(";
  for (std::int64_t axis = 0; axis < tensor.dim(); ++axis)
    text += (axis > 0 ? ", " : "") + std::to_string(tensor.size(axis));
  return text + ") tensor";
}

std::string full_text(const c10::IValue& value) {
  if (value.isNone()) return "None";
  if (value.isTensor()) return tensor_text(value.toTensor());
  if (value.isDouble()) return real(value.toDouble());
  if (value.isString()) return '"' + value.toStringRef() + '"';
  if (value.isTensorList()) return std::to_string(value.toTensorVector().size()) + " tensors";
  std::ostringstream text;
  text << value;
  return text.str();
}

}  // namespace

std::string constant_text(const c10::IValue& value) {
  std::string text = full_text(value);
  std::replace(text.begin(), text.end(), '\n', ' ');
  if (text.size() <= longest) return text;
  std::size_t end = longest - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // within a character
  text.replace(end, std::string::npos, "...");
  return text;
}

}  // namespace kit
