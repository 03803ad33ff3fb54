"""Which operations of one stage are which of another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]


def match(graphs: Sequence[Json]) -> list[list[int]]:
    """For each operation of each graph a number; those that are the same operation have the same.

    From one graph to the next, operations are the same if they are alone in doing that on that line of the
    code, or if as many of them do so in both. Where one of several has gone, the names of their values tell
    which; where these do not tell either, an operation is not matched.
    """
    numbers: list[list[int]] = []
    used = 0
    for index, graph in enumerate(graphs):
        same = _pairs(graphs[index - 1]["nodes"], graph["nodes"]) if index else {}
        row = []
        for node in range(len(graph["nodes"])):
            if node in same:
                row.append(numbers[-1][same[node]])
            else:
                row.append(used)
                used += 1
        numbers.append(row)
    return numbers


def _pairs(before: Sequence[Json], after: Sequence[Json]) -> dict[int, int]:
    """Of each operation of `after` that is in `before`, its index there."""
    pairs: dict[int, int] = {}
    old, new = _by(_place, before), _by(_place, after)
    for place, indices in new.items():
        others = old.get(place, [])
        if len(indices) == len(others):
            pairs.update(zip(indices, others, strict=True))
            continue
        named = _by(_names, before, others)
        for names, some in _by(_names, after, indices).items():
            if len(some) == len(named.get(names, [])) == 1:
                pairs[some[0]] = named[names][0]
    return pairs


def _by(key: Any, nodes: Sequence[Json], indices: Sequence[int] | None = None) -> dict[Hashable, list[int]]:
    found: dict[Hashable, list[int]] = defaultdict(list)
    for index in range(len(nodes)) if indices is None else indices:
        found[key(nodes[index])].append(index)
    return found


def _place(node: Json) -> Hashable:
    line = node.get("line", {})
    what = (node["operation"], node.get("constant"), node.get("attribute"))
    return (*what, line.get("file"), line.get("line"))


def _names(node: Json) -> Hashable:
    """Names of its values without the number that torch adds when it copies them: "x" of "x.12"."""
    return tuple(_stem(value["name"]) for value in node["outputs"])


def _stem(name: str) -> str:
    """Unnamed values, which are numbers, are numbered anew in every stage and tell nothing."""
    first, _, rest = name.rpartition(".")
    stem = first if rest.isdigit() and first else name
    return "" if stem.isdigit() else stem
