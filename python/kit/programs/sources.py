"""Which lines of the user's code the lines of a program's code were recorded from."""

from __future__ import annotations

import json
import linecache
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import torch

from kit.guards.graph import Graph, Node, all_nodes, stack_of_node
from kit.source import is_ground, is_kits

MEMBER = "extra/kit/sources.json"
"""The member of an archive that has them."""

Sources = Mapping[str, Mapping[int, Sequence["Source"]]]
"""By file and line of the program's code."""
Source = Mapping[str, Any]
"""What an operation of the line was recorded from: `operation`, `file`, `line`, `text`."""

_CODE = re.compile(r'File "(code/.+?)", line (\d+)')


def sources_of(
    recorded: torch.jit.ScriptModule, written: torch.jit.ScriptModule, methods: Sequence[str]
) -> bytes | None:
    """The member for a program: as it was recorded, and as it was loaded from what is written.

    Both have the same operations in the same order; where they have not, nothing is said of the method. Files
    are named by the module that they were imported as, so that no path of this machine is in it. None if
    nothing is known.
    """
    known: dict[tuple[str, int, str], int] = {}
    lines: dict[str, dict[str, list[tuple[str, int]]]] = {}
    for method in methods:
        for node, other in _pairs(_graph(recorded, method), _graph(written, method)):
            place, source = _CODE.search(other.sourceRange()), _source(node)
            if place is None or source is None:
                continue
            entry = (node.kind(), known.setdefault(source, len(known)))
            entries = lines.setdefault(place[1], {}).setdefault(place[2], [])
            if entry not in entries:
                entries.append(entry)
    if not known:
        return None
    texts = [{"file": file, "line": line, "text": text} for file, line, text in known]
    return json.dumps({"sources": texts, "lines": lines}, separators=(",", ":"), sort_keys=True).encode()


def parse_sources(data: bytes | memoryview) -> Sources:
    """The lines in the bytes of the member."""
    found = json.loads(bytes(data))
    return {
        file: {
            int(line): [{"operation": operation, **found["sources"][index]} for operation, index in entries]
            for line, entries in lines.items()
        }
        for file, lines in found["lines"].items()
    }


def _graph(program: torch.jit.ScriptModule, method: str) -> Graph:
    return getattr(program, method).inlined_graph


def _pairs(one: Graph, other: Graph) -> Iterator[tuple[Node, Node]]:
    """The operations of two graphs side by side; none if they differ. What else there is may be folded."""
    columns = [
        [node for node in all_nodes(graph) if node.kind().startswith("aten::")] for graph in (one, other)
    ]
    if [node.kind() for node in columns[0]] == [node.kind() for node in columns[1]]:
        yield from zip(*columns, strict=True)


def _source(node: Node) -> tuple[str, int, str] | None:
    """The innermost line outside of torch, but within the model: kit has called that."""
    for path, line in stack_of_node(node):
        if is_kits(path):
            return None
        if not is_ground(path):
            text = linecache.getline(path, line).strip()
            return (_name(path), line, text) if text else None
    return None


@cache
def _name(path: str) -> str:
    """The name of the module that a file was imported as, written as a path; else the name of the file."""
    real, last = os.path.realpath(path), os.path.basename(path)
    names = [
        name
        for name, module in list(sys.modules.items())
        if name != "__main__" and _file(module).endswith(last) and os.path.realpath(_file(module)) == real
    ]
    if not names:
        return os.path.basename(path)
    name = min(names, key=lambda one: (len(one), one)).replace(".", "/")
    return f"{name}/__init__.py" if os.path.basename(path) == "__init__.py" else f"{name}.py"


def _file(module: Any) -> str:
    """Where a module was loaded from. One that is loaded when it is asked for something is not asked."""
    return getattr(module, "__dict__", {}).get("__file__") or ""
