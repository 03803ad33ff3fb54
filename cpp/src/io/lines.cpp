#include "io/lines.h"

#include <cstring>

#include <kit/error.h>

namespace kit::io {

namespace {
constexpr std::size_t initial_buffer = 1 << 18;
constexpr std::size_t longest_line = 1 << 28;
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
}  // namespace

Lines::Lines(InputFile file) : file_(std::move(file)), buffer_(initial_buffer) {}

bool Lines::next(std::string_view& line) {
  std::size_t searched = 0;
  const char* feed = nullptr;
  for (;;) {
    const char* start = buffer_.data() + begin_;
    const std::size_t size = end_ - begin_;
    feed = size > searched ? static_cast<const char*>(std::memchr(start + searched, '\n', size - searched))
                           : nullptr;
    if (feed != nullptr || at_end_) break;
    searched = size;
    if (begin_ > 0) {
      std::memmove(buffer_.data(), start, size);
      begin_ = 0;
      end_ = size;
    }
    if (end_ == buffer_.size()) {
      if (buffer_.size() >= longest_line)
        throw Error(ErrorCode::input, name() + ", line " + std::to_string(number_ + 1) +
                                          ": the line is longer than 256 MiB; is this a text file?");
      buffer_.resize(buffer_.size() * 2);
    }
    const std::size_t count = file_.read_some(buffer_.data() + end_, buffer_.size() - end_);
    end_ += count;
    at_end_ = count == 0;
  }
  if (begin_ == end_) return false;
  const char* start = buffer_.data() + begin_;
  const char* stop = feed != nullptr ? feed : buffer_.data() + end_;
  begin_ = feed != nullptr ? static_cast<std::size_t>(feed - buffer_.data()) + 1 : end_;
  line = std::string_view(start, static_cast<std::size_t>(stop - start));
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (number_++ == 0 && line.starts_with(byte_order_mark)) line.remove_prefix(byte_order_mark.size());
  return true;
}

}  // namespace kit::io
