"""Two traces of one model, on other sizes or values, must have recorded the same operations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from kit.guards.evidence import Evidence, Trace
from kit.guards.finding import Finding
from kit.guards.graph import Node, all_nodes, blocks_of, inputs_of, outputs_of, place_of_node

Row = tuple[str, tuple[int, ...], int, Any]


def baked_size(evidence: Evidence) -> Iterator[Finding]:
    """A number or a sequence of operations that was computed from a size in Python."""
    yield from _differing(evidence, True)


def baked_value(evidence: Evidence) -> Iterator[Finding]:
    """A constant or a sequence of operations that was computed from values outside of what a trace sees."""
    yield from _differing(evidence, False)


def _differing(evidence: Evidence, by_size: bool) -> Iterator[Finding]:
    example = evidence.example
    for other in evidence.traces[1:]:
        if (other.sizes != example.sizes) != by_size:
            continue
        found = first_difference(example, other)
        if found is not None:
            yield _finding(other, *found, by_size)
            return


def _finding(other: Trace, one: Node, two: Node, by_size: bool) -> Finding:
    numbers = [_number(node) for node in (one, two)]
    if None not in numbers:
        seen = f"the number {numbers[0]} here is {numbers[1]}"
    elif one.kind() == two.kind() == "prim::Constant":
        seen = "this is a tensor of other values, or of another shape"
    elif one.kind() == two.kind() == "prim::ListUnpack":
        seen = f"the {one.outputsSize()} tensors here are {two.outputsSize()}"
    elif one.kind() != two.kind():
        seen = f"other operations are recorded ({_name(one)} here is {_name(two)})"
    else:
        seen = f"{_name(one)} is recorded with other constants or other tensors"
    place = place_of_node(one) or next((place_of_node(value.node()) for value in inputs_of(one)), None)
    if by_size:
        return Finding(
            "baked-size",
            f"for {other.what} {seen}: it was computed in Python from a size that is declared dynamic, and "
            "the trace keeps what it was for the example",
            "compute with x.shape[i] as it is, and do not loop over, unbind or split a dynamic dimension",
            place,
        )
    return Finding(
        "baked-value",
        f"for {other.what} {seen}: it was computed outside of what a trace sees, and the trace keeps what it "
        "was for the example",
        "compute it with torch operations on the inputs",
        place,
    )


def first_difference(one: Trace, two: Trace) -> tuple[Node, Node] | None:
    """The first nodes at which two graphs differ, if they do."""
    if one.text == two.text and all(map(_equal, _constants(one), _constants(two))):
        return None
    rows = list(_rows(one)), list(_rows(two))
    for (node, row), (other, another) in zip(*rows, strict=False):
        if row[:3] != another[:3] or not _equal(row[3], another[3]):
            return node, other
    if len(rows[0]) != len(rows[1]):
        longer = max(rows, key=len)
        node = longer[min(map(len, rows))][0]
        return node, node
    return None


def _constants(trace: Trace) -> Iterator[Any]:
    """The values of tensors, and of numbers that are not whole."""
    for node in trace.compared.findAllNodes("prim::Constant"):
        if node.output().type().kind() in ("TensorType", "FloatType", "ComplexType"):
            yield node.output().toIValue()


def _rows(trace: Trace) -> Iterator[tuple[Node, Row]]:
    """Every node with its kind, what it takes, how many values it gives, and its constant."""
    numbers: dict[int, int] = {}
    for value in trace.compared.inputs():
        numbers[value.unique()] = len(numbers)
    for node in [*all_nodes(trace.compared), trace.compared.return_node()]:
        inputs = tuple(numbers.get(value.unique(), -1) for value in inputs_of(node))
        outputs = outputs_of(node)
        for inner in blocks_of(node):
            for value in inner.inputs():
                numbers[value.unique()] = len(numbers)
        for value in outputs:
            numbers[value.unique()] = len(numbers)
        constant = None
        if node.kind() == "prim::Constant" and outputs[0].type().kind() != "NoneType":
            constant = outputs[0].toIValue()
        elif node.kind() == "prim::GetAttr":
            constant = node.s("name")
        yield node, (node.kind(), inputs, len(outputs), constant)


def _equal(one: Any, two: Any) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(two, torch.Tensor):
        return (
            one.dtype == two.dtype
            and one.shape == two.shape
            and torch.allclose(one, two, 0, 0, equal_nan=True)
        )
    return type(one) is type(two) and bool(one == two or one != one)


def _number(node: Node) -> Any:
    if node.kind() != "prim::Constant" or node.output().type().kind() == "NoneType":
        return None
    value = node.output().toIValue()
    if isinstance(value, torch.Tensor):
        return value.item() if value.numel() == 1 else None
    return value if isinstance(value, (bool, int, float)) else None


def _name(node: Node) -> str:
    return str(node.kind()).rpartition("::")[2]
