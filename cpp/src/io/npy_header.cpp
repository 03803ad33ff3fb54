#include "io/npy_header.h"

#include <array>
#include <bit>
#include <charconv>
#include <optional>
#include <utility>

#include <kit/error.h>

namespace kit::io::npy {

static_assert(std::endian::native == std::endian::little, "tensors are written as they lie in memory");

namespace {

/// Kind and size, without the byte order.
constexpr std::array<std::pair<std::string_view, DType>, 14> types = {{
    {"b1", DType::boolean},
    {"u1", DType::uint8},
    {"u2", DType::uint16},
    {"u4", DType::uint32},
    {"u8", DType::uint64},
    {"i1", DType::int8},
    {"i2", DType::int16},
    {"i4", DType::int32},
    {"i8", DType::int64},
    {"f2", DType::float16},
    {"f4", DType::float32},
    {"f8", DType::float64},
    {"c8", DType::complex64},
    {"c16", DType::complex128},
}};

/// Reads the few Python literals that NumPy writes.
class Parser {
 public:
  Parser(std::string_view text, const std::string& where) : rest_(text), where_(where) {}

  Header parse() {
    Header header;
    bool descr = false;
    bool order = false;
    bool shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string_view key = string();
      expect(':');
      if (key == "descr" && !std::exchange(descr, true)) {
        header.dtype = dtype();
      } else if (key == "fortran_order" && !std::exchange(order, true)) {
        header.fortran_order = boolean();
      } else if (key == "shape" && !std::exchange(shape, true)) {
        header.shape = tuple();
      } else {
        malformed();
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip();
    if (!descr || !order || !shape || !rest_.empty()) malformed();
    return header;
  }

 private:
  [[noreturn]] void malformed() const {
    throw Error(ErrorCode::input,
                where_ + ": the .npy header is malformed; write the file again with numpy.save");
  }

  void skip() {
    const std::size_t first = rest_.find_first_not_of(" \n\t");
    rest_.remove_prefix(first == std::string_view::npos ? rest_.size() : first);
  }

  bool accept(char c) {
    skip();
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void expect(char c) {
    if (!accept(c)) malformed();
  }

  std::string_view string() {
    skip();
    if (rest_.empty() || (rest_.front() != '\'' && rest_.front() != '"')) malformed();
    const std::size_t end = rest_.find(rest_.front(), 1);
    if (end == std::string_view::npos) malformed();
    const std::string_view text = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    return text;
  }

  DType dtype() {
    skip();
    if (!rest_.empty() && rest_.front() == '[')
      throw Error(ErrorCode::input, where_ + ": the array has named fields; save a plain array");
    const std::string_view descr = string();
    if (!descr.empty() && descr.front() == '>')
      throw Error(ErrorCode::input, where_ + ": the array is big-endian (" + std::string(descr) +
                                        "); save it little-endian: array.astype('<" +
                                        std::string(descr.substr(1)) + "')");
    const bool ordered =
        !descr.empty() && (descr.front() == '<' || descr.front() == '|' || descr.front() == '=');
    for (const auto& [code, type] : types)
      if (descr.substr(ordered ? 1 : 0) == code) return type;
    throw Error(ErrorCode::input,
                where_ + ": the array has elements of type '" + std::string(descr) +
                    "', which no model takes; convert it with .astype" +
                    (descr.find('V') != std::string_view::npos ? ", or use .safetensors" : ""));
  }

  bool boolean() {
    skip();
    for (const bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (!rest_.starts_with(word)) continue;
      rest_.remove_prefix(word.size());
      return value;
    }
    malformed();
  }

  Shape tuple() {
    Shape shape;
    expect('(');
    while (!accept(')')) {
      skip();
      std::int64_t size = 0;
      const auto [next, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), size);
      if (error != std::errc{} || size < 0) malformed();
      rest_.remove_prefix(static_cast<std::size_t>(next - rest_.data()));
      shape.push_back(size);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return shape;
  }

  std::string_view rest_;
  const std::string& where_;
};

}  // namespace

Header parse(std::string_view text, const std::string& where) { return Parser(text, where).parse(); }

std::string serialize(const Header& header, std::size_t length) {
  std::optional<std::string_view> code;
  for (const auto& [text, type] : types)
    if (type == header.dtype) code = text;
  if (!code)
    throw Error(ErrorCode::usage,
                "an .npy file cannot hold " + std::string(name(header.dtype)) + "; use .safetensors");
  std::string text = "{'descr': '" + std::string(item_size(header.dtype) == 1 ? "|" : "<") +
                     std::string(*code) + "', 'fortran_order': " + (header.fortran_order ? "True" : "False") +
                     ", 'shape': (";
  for (std::size_t i = 0; i < header.shape.size(); ++i)
    text += (i > 0 ? ", " : "") + std::to_string(header.shape[i]);
  text += header.shape.size() == 1 ? ",), }" : "), }";

  constexpr std::size_t prefix = 10;
  constexpr std::size_t alignment = 64;
  if (length == 0) length = (prefix + text.size() + 1 + alignment - 1) / alignment * alignment;
  text.resize(length - prefix - 1, ' ');
  text += '\n';
  std::string result = "\x93NUMPY";
  result += '\x01';
  result += '\x00';
  result += static_cast<char>(text.size() & 0xFF);
  result += static_cast<char>(text.size() >> 8);
  return result + text;
}

}  // namespace kit::io::npy
