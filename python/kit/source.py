"""Where in the user's own code something happened."""

from __future__ import annotations

import os
import sys
import traceback
from types import TracebackType


def one_line(error: BaseException) -> str:
    """Type and message of an exception on one line; of a long message the first line that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def raised_at(error: BaseException) -> str:
    """ "path:line" of the innermost frame that is neither kit's nor an installed package's, or ""."""
    return _innermost(error.__traceback__)


def _innermost(trace: TracebackType | None) -> str:
    found = ""
    for frame, line in traceback.walk_tb(trace):
        path = frame.f_code.co_filename
        if is_users(path):
            found = f"{display_path(path)}:{line}"
    return found


def is_users(path: str) -> bool:
    """Whether a source file is the user's: not part of kit, of Python or of an installed package."""
    if path.startswith("<"):
        return False
    full = os.path.realpath(path)
    return not any(full.startswith(root + os.sep) for root in _libraries())


def _libraries() -> list[str]:
    roots = [os.path.dirname(os.path.realpath(__file__)), os.path.dirname(os.path.realpath(os.__file__))]
    roots += [
        os.path.realpath(path)
        for path in sys.path
        if os.path.basename(path) in ("site-packages", "dist-packages")
    ]
    torch = sys.modules.get("torch")
    if torch is not None and torch.__file__ is not None:
        roots.append(os.path.dirname(os.path.realpath(torch.__file__)))
    return roots


def display_path(path: str) -> str:
    """The path as a person would write it: relative where it is below the current directory."""
    full = os.path.realpath(path)
    here = os.path.realpath(os.curdir) + os.sep
    return full[len(here) :] if full.startswith(here) else full
