#include "bench/c_call.h"

#include <array>
#include <bit>
#include <cstddef>
#include <string>
#include <utility>

#include <kit/error.h>

namespace kit::bench {
namespace {

using Word = std::uintptr_t;

constexpr std::size_t most_arguments = 8;

template <std::size_t>
using Argument = Word;

/// Calls the function with as many words. On x86-64 pointers and whole numbers travel in the same registers
/// and stack slots, so the words may stand for either.
template <typename Result, std::size_t... I>
std::function<void()> bind(const CCall& call, std::index_sequence<I...> /*unused*/) {
  const auto function = std::bit_cast<Result (*)(Argument<I>...)>(call.function);
  return [function, words = std::array<Word, sizeof...(I)>{call.arguments[I]...}] {
    if (const Result result = function(words[I]...); result != Result{})
      throw Error(ErrorCode::internal,
                  "a C function that was to be timed failed; its result is " + std::to_string(result));
  };
}

template <typename Result, std::size_t Count = 1>
std::function<void()> with_count(const CCall& call) {
  if constexpr (Count > most_arguments)
    throw Error(ErrorCode::usage, "a C function can be timed with 1 to 8 arguments, and " +
                                      std::to_string(call.arguments.size()) + " came");
  else if (call.arguments.size() == Count)
    return bind<Result>(call, std::make_index_sequence<Count>{});
  else
    return with_count<Result, Count + 1>(call);
}

}  // namespace

std::function<void()> CCall::bound() const {
  if (function == 0) throw Error(ErrorCode::usage, "there is no C function at address 0; give its address");
  return gives_pointer ? with_count<Word>(*this) : with_count<int>(*this);
}

}  // namespace kit::bench
