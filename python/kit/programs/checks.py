"""What Inductor's kernels check while they compute, such as that an index is within its bounds.

A check that fails throws, and what leaves a parallel region of OpenMP, or a loop of it, ends the process. So
it is caught in the iteration that it is thrown in, and thrown again behind the region, when all threads are
done.
"""

from __future__ import annotations

import re

from kit.programs.inductor import unexpected

_CHECK = re.compile(r"\b(?:AOTI_)?TORCH_CHECK\(|\bthrow\b")
_LOOP = re.compile(r"^[ \t]*#\s*pragma omp (?:parallel )?(for|single)\b([^\n]*)\n", re.MULTILINE)
_REGION = re.compile(r"^[ \t]*#\s*pragma omp parallel\b( for\b)?([^\n]*)\n", re.MULTILINE)
_SIMD = re.compile(r"^([ \t]*#\s*pragma omp )(for )?simd(?: simdlen\(\d+\))?([^\n]*\n)", re.MULTILINE)
_COLLAPSE = re.compile(r"\bcollapse\((\d+)\)")
_HEADER = re.compile(r"\s*(?:#[^\n]*\n\s*)*for\s*\(")
_OPENING = re.compile(r"\s*\{")
_BRACKET = re.compile(r"[(){}]|\"(?:\\.|[^\"\\])*\"")  # or a text, which may hold some
_FUNCTION = 'extern "C"'

_PRINTED = re.compile(r"std::cerr << \"Error: \" << e\.what\(\) << '\\n';")
_KEPT = "g_aoti_last_error"

# cpp/src/engines/aoti_package.cpp asks for it.
_LAST_ERROR = """\
#include <string>

static thread_local std::string kit_error;

extern "C" __attribute__((visibility("default"))) const char* kit_take_error() {
  static thread_local std::string taken;
  taken.clear();
  taken.swap(kit_error);
  return taken.c_str();
}

"""

_FAILURE = """\
#include <atomic>
#include <exception>

namespace {
/// What is thrown first in a parallel region.
class KitFailure {
 public:
  void keep() noexcept {
    if (!kept_.test_and_set()) thrown_ = std::current_exception();
  }
  void rethrow() const {
    if (thrown_) std::rethrow_exception(thrown_);
  }

 private:
  std::atomic_flag kept_ = ATOMIC_FLAG_INIT;
  std::exception_ptr thrown_;
};
}  // namespace

"""


def thrown_behind_regions(kernels: str) -> str:
    """The kernels with checks whose failure is an error of the call. Raises InternalError if they are not as
    kit expects them."""
    first, *functions = kernels.split(_FUNCTION)
    changed = [_changed(one) for one in functions]
    return kernels if changed == functions else _FAILURE + _FUNCTION.join([first, *changed])


def with_last_error(wrapper: str) -> str:
    """What calls the kernels, so that it keeps the reason of a call that fails for its caller, and does not
    print it. Raises InternalError if it is not as kit expects it."""
    if len(_PRINTED.findall(wrapper)) != 1:
        raise unexpected("what Inductor's code does with an error has another form")
    if _KEPT in wrapper:  # from torch 2.13 on
        return _PRINTED.sub("", wrapper)
    return _LAST_ERROR + _PRINTED.sub("kit_error = e.what();", wrapper)


def _changed(function: str) -> str:
    if _CHECK.search(function) is None or _REGION.search(function) is None:
        return function
    # A loop that may be left is not one of simd instructions, and GCC lets nothing be thrown out of one.
    for found in reversed(list(_SIMD.finditer(function))):
        start, end = _block(function, found.end(), _depth(found[3]))
        if _CHECK.search(function, start, end):
            kept = f"{found[1]}{found[2]}{found[3].lstrip()}" if found[2] else ""
            function = function[: found.start()] + kept + function[found.end() :]
    for found in reversed(list(_LOOP.finditer(function))):
        start, end = _block(function, found.end(), _depth(found[2]) if found[1] == "for" else 0)
        if _CHECK.search(function, start, end):
            caught = f"{{ try {function[start:end]} catch (...) {{ kit_failure.keep(); }} }}"
            function = function[:start] + caught + function[end:]
    for found in reversed(list(_REGION.finditer(function))):
        _, end = _block(function, found.end(), 1 if found[1] else 0)
        function = function[:end] + " kit_failure.rethrow();" + function[end:]
    return function.replace("{", "{ KitFailure kit_failure;", 1)


def _depth(clauses: str) -> int:
    """How many loops, one in the other, a pragma is for."""
    found = _COLLAPSE.search(clauses)
    return int(found[1]) if found else 1


def _block(text: str, at: int, depth: int) -> tuple[int, int]:
    """Where the block behind a pragma starts and ends: that of the loop in so many loops, each in the other,
    or a block alone."""
    for level in range(depth):
        header = _HEADER.match(text, at + (level > 0))  # a loop within the block of another one
        if header is None:
            raise unexpected("a loop in Inductor's code has another form")
        at = _opening(text, _end(text, header.end() - 1))
    start = at if depth else _opening(text, at)
    return start, _end(text, start)


def _opening(text: str, at: int) -> int:
    """Where the brace is that comes next."""
    found = _OPENING.match(text, at)
    if found is None:
        raise unexpected("a loop or region in Inductor's code has no block")
    return found.end() - 1


def _end(text: str, opening: int) -> int:
    """Behind the bracket that closes the one at `opening`."""
    depth = 0
    for found in _BRACKET.finditer(text, opening):
        depth += {"(": 1, "{": 1, ")": -1, "}": -1}.get(found[0], 0)
        if depth == 0:
            return found.end()
    raise unexpected("a bracket in Inductor's code is not closed")
