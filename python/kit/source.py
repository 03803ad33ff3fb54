"""Where in the user's own code something happened."""

from __future__ import annotations

import linecache
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import FrameType, TracebackType
from typing import Any

_TRACED = re.compile(r"^(.+)\((\d+)\): .*$", re.MULTILINE)
_FRAME = re.compile(r'File "(.+?)", line (\d+)')


@dataclass(frozen=True)
class Place:
    """A line of code outside of torch and kit; `caller` is "path:line" of the user's if the line is a
    package's."""

    path: str
    line: int
    caller: str = ""

    @property
    def code(self) -> str:
        """The line itself, or "" if the file cannot be read."""
        return linecache.getline(self.path, self.line).strip()

    def __str__(self) -> str:
        called = f" (called from {self.caller})" if self.caller else ""
        return f"{display_path(self.path)}:{self.line}{called}"


def place_of(frames: Iterable[tuple[str, int]]) -> Place | None:
    """The place that a stack names, given as paths and lines, the innermost first."""
    known = [frame for frame in frames if not is_ground(frame[0])]
    if not known:
        return None
    path, line = known[0]
    if is_users(path):
        return Place(path, line)
    caller = next((frame for frame in known if is_users(frame[0])), None)
    return Place(path, line, f"{display_path(caller[0])}:{caller[1]}" if caller else "")


def place_here(frame: FrameType | None) -> Place | None:
    """The place that is being executed in `frame`, or in who called it."""
    return place_of(_stack(frame))


def _stack(frame: FrameType | None) -> Iterator[tuple[str, int]]:
    while frame is not None:
        yield frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back


_INTERPRETER = "The following operation failed in the TorchScript interpreter"


@contextmanager
def followed(watch: Callable[[FrameType, str, Any], Any]) -> Iterator[None]:
    """Let Python tell `watch` what this thread goes through, as `sys.settrace` says."""
    before = sys.gettrace()
    # Python 3.12 tells of single instructions only if that was asked for, of any frame, before it begins.
    sys._getframe().f_trace_opcodes = True
    sys.settrace(watch)
    try:
        yield
    finally:
        sys.settrace(before)


def one_line(error: BaseException) -> str:
    """Type and message of an exception on one line; of a long message the first line that says something. For
    TorchScript's interpreter that is the last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if lines and lines[0].startswith(_INTERPRETER):
        return lines[-1]
    text = lines[0] if lines else ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def raised_at(error: BaseException) -> str:
    """ "path:line" of the innermost frame that is neither kit's nor an installed package's, or ""."""
    return _innermost(error.__traceback__)


def place_raised(error: BaseException) -> Place | None:
    """Where the exception was raised, outside of torch and kit: in Python, or else in the code that a
    TorchScript program was made from, if the message tells."""
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    return place_of(reversed(frames)) or place_of(told_frames(str(error).rpartition("original code")[2]))


def told_frames(text: str) -> list[tuple[str, int]]:
    """Paths and lines of a stack as TorchScript tells it of what was traced, or was compiled, the innermost
    first."""
    return [(path, int(line)) for path, line in _TRACED.findall(text)] or frames_in(text)


def frames_in(text: str) -> list[tuple[str, int]]:
    """Paths and lines of a stack as Python tells it, the innermost first."""
    return [(path, int(line)) for path, line in reversed(_FRAME.findall(text))]


def is_own(error: BaseException) -> bool:
    """Whether the exception was raised by a line of kit's own, and so is a fault of it."""
    frames = list(traceback.walk_tb(error.__traceback__))
    return bool(frames) and _is_below(frames[-1][0].f_code.co_filename, _ground()[:1])


def _innermost(trace: TracebackType | None) -> str:
    found = ""
    for frame, line in traceback.walk_tb(trace):
        path = frame.f_code.co_filename
        if is_users(path):
            found = f"{display_path(path)}:{line}"
    return found


@cache
def is_users(path: str) -> bool:
    """Whether a source file is the user's: not part of kit, of Python or of an installed package."""
    return not path.startswith("<") and not _is_below(path, [*_ground(), *_packages()])


@cache
def is_ground(path: str) -> bool:
    """Whether a source file is part of torch, of kit or of Python: what a user neither reads nor changes."""
    if path.startswith("<"):
        return True
    packages = _is_below(path, _packages()) and not _is_below(path, _ground()[:2])
    return not packages and _is_below(path, _ground())


@cache
def is_kits(path: str) -> bool:
    """Whether a source file is part of kit."""
    return _is_below(path, _ground()[:1])


def _is_below(path: str, roots: Iterable[str]) -> bool:
    full = os.path.realpath(path)
    return any(full.startswith(root + os.sep) for root in roots)


def _ground() -> list[str]:
    """The directories of kit and torch, then of Python."""
    roots = [os.path.dirname(os.path.realpath(__file__))]
    torch = sys.modules.get("torch")
    if torch is not None and torch.__file__ is not None:
        roots.append(os.path.dirname(os.path.realpath(torch.__file__)))
    return [*roots, os.path.dirname(os.path.realpath(os.__file__))]


def _packages() -> list[str]:
    return [
        os.path.realpath(path)
        for path in sys.path
        if os.path.basename(path) in ("site-packages", "dist-packages")
    ]


def display_path(path: str) -> str:
    """The path as a person would write it: relative where it is below the current directory."""
    full = os.path.realpath(path)
    here = os.path.realpath(os.curdir) + os.sep
    return full[len(here) :] if full.startswith(here) else full
