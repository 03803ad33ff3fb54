"""Names of local variables in TorchScript code, numbered anew in each method."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator

# Text in quotes, an attribute, and the keyword of an argument are no variables; a name is one.
_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|\.\s*[A-Za-z_]\w*|\b[A-Za-z_]\w*=(?!=)|(?P<name>\b[A-Za-z_]\w*)')
_TARGETS = re.compile(r"^ +([A-Za-z_]\w*(?:, [A-Za-z_]\w*)*),? = ", re.MULTILINE)
_LOOP = re.compile(r"^ +for ([A-Za-z_]\w*) in ", re.MULTILINE)

# Names with a meaning of their own in TorchScript code, so that no variable may bear them bare.
# https://github.com/pytorch/pytorch/blob/main/torch/csrc/jit/serialization/python_print.cpp
# fmt: off
_RESERVED = frozenset([
    *keyword.kwlist,
    "_", "aten", "attribute", "CONSTANTS", "fork", "getattr", "inf", "nan", "infj", "nanj", "ops",
    "__torch__", "torch", "prim", "self", "int", "float", "bool", "str", "complex", "Tensor", "Optional",
    "List", "Dict", "Tuple", "Any", "Final", "annotate", "range", "print", "unchecked_cast", "uninitialized",
    "isinstance", "len", "min", "max", "abs", "list", "awaitable", "rpc_async", "rpc_sync", "rpc_remote",
])
# fmt: on


def renumber_variables(code: str) -> str:
    """The class or function with the local variables of each method named by their order: x, x0, x1, ..."""
    # Deeper in are functions that share the variables of their method.
    head = re.compile(r"^  def " if code.startswith("class") else r"^def ", re.MULTILINE)
    starts = [match.start() for match in head.finditer(code)]
    if not starts:
        return code
    ends = [*starts[1:], len(code)]
    methods = [_renumber_method(code[start:end]) for start, end in zip(starts, ends, strict=True)]
    return code[: starts[0]] + "".join(methods)


def _renumber_method(code: str) -> str:
    head, colon, body = code.partition(":\n")
    head += colon
    local = {name for match in _TARGETS.finditer(body) for name in match[1].split(", ")}
    local |= {match[1] for match in _LOOP.finditer(body)}
    local -= set(_names(head))
    taken = (set(_names(head)) | set(_names(body))) - local
    new: dict[str, str] = {}
    for name in _names(body):
        if name in local and name not in new:
            new[name] = _free_name(name, taken)
            taken.add(new[name])
    return head + _TOKEN.sub(lambda match: new.get(match["name"], match[0]), body)


def _names(code: str) -> Iterator[str]:
    """Names that are not attributes, in their order."""
    for match in _TOKEN.finditer(code):
        if match["name"]:
            yield match["name"]


def _free_name(name: str, taken: set[str]) -> str:
    base = name.rstrip("0123456789")
    if base not in _RESERVED and base not in taken:
        return base
    number = 0
    while f"{base}{number}" in taken:
        number += 1
    return f"{base}{number}"
