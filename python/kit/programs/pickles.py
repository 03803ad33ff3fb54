"""Names of classes in torch's pickles: reading them, and replacing them without touching anything else."""

from __future__ import annotations

import pickletools
import re
import struct
from collections.abc import Iterator, Mapping

from kit.errors import InternalError

_QUALIFIED = re.compile(r"__torch__(?:\.\w+)+")

# What torch's pickler writes: https://github.com/pytorch/pytorch/blob/main/torch/csrc/jit/serialization/pickler.h
_KNOWN = frozenset(
    [
        "PROTO",
        "STOP",
        "MARK",
        "GLOBAL",
        "BINUNICODE",
        "BINPUT",
        "LONG_BINPUT",
        "BINGET",
        "LONG_BINGET",
        "EMPTY_TUPLE",
        "EMPTY_DICT",
        "EMPTY_LIST",
        "TUPLE",
        "TUPLE1",
        "TUPLE2",
        "TUPLE3",
        "NEWOBJ",
        "REDUCE",
        "BUILD",
        "BINPERSID",
        "SETITEM",
        "SETITEMS",
        "APPEND",
        "APPENDS",
        "NONE",
        "NEWTRUE",
        "NEWFALSE",
        "BININT",
        "BININT1",
        "BININT2",
        "LONG1",
        "BINFLOAT",
    ]
)


def pickled_texts(data: bytes, where: str) -> Iterator[str]:
    """The texts that may name a class, in their order: classes as "module.name", and strings."""
    for opcode, argument, _ in _operations(data, where):
        if opcode == "GLOBAL":
            yield argument.replace(" ", ".")
        elif opcode == "BINUNICODE":
            yield argument


def replace_texts(data: bytes, names: Mapping[str, str], where: str) -> bytes:
    """The pickle with qualified names replaced, in classes and in strings that annotate a type."""

    def replace(match: re.Match[str]) -> str:
        return names.get(match[0], match[0])

    parts: list[bytes] = []
    operations = list(_operations(data, where))
    ends = [position for _, _, position in operations[1:]] + [len(data)]
    for (opcode, argument, start), end in zip(operations, ends, strict=True):
        if opcode == "GLOBAL":
            qualifier, _, name = _QUALIFIED.sub(replace, argument.replace(" ", ".")).rpartition(".")
            parts.append(f"c{qualifier}\n{name}\n".encode())
        elif opcode == "BINUNICODE" and "__torch__" in argument:
            text = _QUALIFIED.sub(replace, argument).encode()
            parts.append(b"X" + struct.pack("<I", len(text)) + text)
        else:
            parts.append(data[start:end])
    return b"".join(parts)


def _operations(data: bytes, where: str) -> Iterator[tuple[str, str, int]]:
    """Name, argument and position of every operation."""
    try:
        for opcode, argument, position in pickletools.genops(data):
            if opcode.name not in _KNOWN or position is None:
                raise InternalError(
                    f"torch wrote {opcode.name} in '{where}', which kit does not know; please report it"
                )
            yield opcode.name, str(argument), position
    except ValueError as error:
        raise InternalError(
            f"torch wrote '{where}' in a form that kit does not know: {error}; please report it"
        ) from error
