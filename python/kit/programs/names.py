"""Names that torch writes into a TorchScript program and cannot read again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from kit.errors import TraceError

# https://github.com/pytorch/pytorch/blob/main/torch/csrc/jit/frontend/lexer.h; and `torch`, which would hide
# the operations where a variable is named after it.
# fmt: off
_KEYWORDS = frozenset([
    "False", "None", "NoneType", "True", "and", "as", "assert", "break", "class", "continue", "def", "del",
    "elif", "else", "for", "global", "if", "import", "in", "is", "not", "or", "pass", "raise", "return",
    "while", "with", "torch",
])
# fmt: on


def check_class(name: str) -> None:
    """Raise TraceError for a class that cannot be read again. name: with its module."""
    if not name.isascii():
        raise _refusal([f"the class '{name}'"])


def unreadable(program: torch.jit.ScriptModule) -> TraceError | None:
    """Why a program that torch wrote cannot be read, if that is for its names."""
    found = list(dict.fromkeys(_unreadable(program)))
    return _refusal(found) if found else None


def _refusal(what: list[str]) -> TraceError:
    return TraceError(
        f"torch cannot read a TorchScript program with the name of {', '.join(what)}; rename it: take ASCII "
        "letters, digits and underscores, and no keyword of Python's, nor torch"
    )


def _unreadable(program: torch.jit.ScriptModule) -> Iterator[str]:
    for part in program.modules():
        owner = str(part.original_name)
        named = {
            "parameter": part.named_parameters(recurse=False),
            "buffer": part.named_buffers(recurse=False),
            "submodule": part.named_children(),
        }
        for kind, entries in named.items():
            yield from (f"the {kind} '{name}' of {owner}" for name, _ in entries if not _is_readable(name))
        native: Any = part._c
        for method in native._method_names():
            for argument in native._get_method(method).schema.arguments:
                if not _is_readable(argument.name):
                    yield f"the input '{argument.name}'" + ("" if part is program else f" of {owner}")


def _is_readable(name: str) -> bool:
    return name.isascii() and name.isprintable() and not set(name) & set('"\\') and name not in _KEYWORDS
