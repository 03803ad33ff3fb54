"""What torch's compiler makes of a program: its graph as traced, frozen, and optimized."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kit._native import Graph as NativeGraph


@dataclass(frozen=True)
class CodeLine:
    """A line of the program's code inside the archive, "code/__torch__/model.py"; of the Python source, where
    the archive tells of it. The text is empty where the archive does not have it."""

    file: str
    line: int
    text: str


@dataclass(frozen=True)
class Value:
    """A value of a graph. Its name is unique there; torch prints it with a "%" before it."""

    name: str
    type: str


@dataclass(frozen=True)
class Block:
    """A block of a prim::If or a prim::Loop: what it takes, and the names of what it gives."""

    inputs: list[Value]
    outputs: list[str]


@dataclass(frozen=True)
class Node:
    """One operation.

    operation: "aten::relu", "prim::Constant".
    inputs: names of values.
    constant: of a prim::Constant, "20"; of a prim::GetAttr of what is no tensor, its value.
    attribute: the path of a weight, "linear.weight", where it is read, written or has become a constant.
    group: the number of the fused group it is in.
    pointwise: whether an element of the output depends on the same elements of the inputs alone, as torch
        says; None for what is no operator of torch's.
    parent, block: index of the node in whose block it is, and which of its blocks.
    """

    operation: str
    inputs: list[str]
    outputs: list[Value]
    constant: str | None = None
    attribute: str | None = None
    line: CodeLine | None = None
    group: int | None = None
    parent: int | None = None
    block: int = 0
    blocks: list[Block] = field(default_factory=list)
    pointwise: bool | None = None


@dataclass(frozen=True)
class Graph:
    """The graph of one method at one stage. Print it to see it as torch prints it.

    nodes: in the order of execution; those of a fused group stand in its place.
    """

    stage: str
    method: str
    text: str
    inputs: list[Value]
    outputs: list[str]
    nodes: list[Node]
    _handle: NativeGraph = field(repr=False, compare=False)

    @staticmethod
    def of(known: NativeGraph) -> Graph:
        """The graph that the C++ library gave."""
        root = json.loads(known.json())
        inputs, nodes = _values(root.pop("inputs")), [_node(one) for one in root.pop("nodes")]
        return Graph(inputs=inputs, nodes=nodes, _handle=known, **root)

    @property
    def groups(self) -> list[list[Node]]:
        """The nodes of each fused group."""
        numbers = sorted({node.group for node in self.nodes if node.group is not None})
        return [[node for node in self.nodes if node.group == number] for number in numbers]

    def since(self, earlier: Graph) -> GraphDiff:
        """What led from an earlier graph of the method to this one."""
        from kit.binding import native

        found = native.diff(earlier._handle, self._handle)
        return GraphDiff(text=found.str(), **json.loads(found.json()))

    def to_dict(self) -> dict[str, Any]:
        """The graph as JSON values; what is not set is left out."""
        root: dict[str, Any] = json.loads(self._handle.json())
        return root

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class GraphDiff:
    """What led from one graph of a method to another. Print it to see it in words.

    An operation is a dict of its `operation`, and of its `value` and its `line`, if it has them. Constants,
    weights, tuples and lists are no operations here.

    removed: nothing used what they gave.
    folded: dicts of `operations` that depended on constants alone, the `expression` they computed, and the
        `constant` that stands for them, with its name, `value`.
    weights: paths of those that became constants.
    left_out: what followed them takes what they took.
    merged: the same as another operation with the same inputs.
    rewritten: dicts of the operations `before` and `after`; `weights` tells whether these were computed anew.
    fused: dicts of `group` and `operations`.
    alone: where there are groups, the operations in none; `pointwise` tells whether a group is for such.
    added: guards of groups, their fallbacks, and the like; with their `purpose`, if it is known.
    unchanged: how many operations both have.
    """

    before: str
    after: str
    operations_before: int
    operations_after: int
    unchanged: int
    removed: list[dict[str, Any]]
    folded: list[dict[str, Any]]
    weights: list[str]
    left_out: list[dict[str, Any]]
    merged: list[dict[str, Any]]
    rewritten: list[dict[str, Any]]
    fused: list[dict[str, Any]]
    alone: list[dict[str, Any]]
    added: list[dict[str, Any]]
    text: str = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {name: value for name, value in vars(self).items() if name != "text"}

    def __str__(self) -> str:
        return self.text


def stage_before(stage: str, frozen: bool) -> str:
    """The stage that a stage is made from: what is optimized is the frozen graph only where the model runs
    frozen. Raises UsageError for the first, and for one that there is not."""
    from kit.binding import native

    return native.stage_before(stage, frozen)


def _values(root: list[Mapping[str, str]]) -> list[Value]:
    return [Value(**one) for one in root]


def _node(root: Mapping[str, Any]) -> Node:
    known = dict(root)
    known["outputs"] = _values(root["outputs"])
    known["blocks"] = [Block(_values(one["inputs"]), one["outputs"]) for one in root.get("blocks", [])]
    if "line" in root:
        known["line"] = CodeLine(**root["line"])
    return Node(**known)
