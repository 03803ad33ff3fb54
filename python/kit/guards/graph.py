"""Reading TorchScript graphs: what a value comes from, what an operation is, and where its code is."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Set
from functools import cache
from typing import Any

import torch

from kit.source import Place, place_of

Graph = Any
"""torch._C.Graph. Its Python interface has no types."""
Node = Any
Value = Any

_TRACED = re.compile(r"^(.+)\((\d+)\): .*$", re.MULTILINE)
_SCRIPTED = re.compile(r'File "(.+?)", line (\d+)')
_VIEW_NAMES = """
    alias as_strided chunk contiguous detach diagonal expand expand_as flatten imag movedim narrow permute
    real reshape select slice split split_with_sizes squeeze swapaxes t to transpose unbind unflatten unfold
    unsqueeze view view_as view_as_complex view_as_real
"""
_VIEWS = frozenset(_VIEW_NAMES.split())
_LEAF_NAMES = """
    prim::Constant prim::GetAttr prim::ListConstruct prim::ListUnpack prim::NumToTensor prim::TupleConstruct
    prim::TupleUnpack
"""
_LEAVES = frozenset(_LEAF_NAMES.split())


def all_nodes(block: Any) -> Iterator[Node]:
    """Every node of a graph or block in order, those of inner blocks after the node that has them."""
    for node in block.nodes():
        yield node
        for inner in blocks_of(node):
            yield from all_nodes(inner)


def inputs_of(node: Node) -> list[Value]:
    """What a node takes. By number, as the end of an iteration over `node.inputs()` is an exception of C++,
    which costs more than all else that is asked of a node."""
    return [node.inputsAt(index) for index in range(node.inputsSize())]


def outputs_of(node: Node) -> list[Value]:
    """What a node gives."""
    return [node.outputsAt(index) for index in range(node.outputsSize())]


def blocks_of(node: Node) -> list[Any]:
    """The inner blocks of a node; operations of torch have none."""
    kind = node.kind()
    return [] if kind.startswith("aten::") or kind in _LEAVES else list(node.blocks())


def place_of_node(node: Node) -> Place | None:
    """The line of code that a node was traced or compiled from."""
    return place_of(stack_of_node(node))


def stack_of_node(node: Node) -> list[tuple[str, int]]:
    """Paths and lines of the stack when a node was traced or compiled, the innermost first."""
    text = node.sourceRange()
    found = _TRACED.findall(text) or _SCRIPTED.findall(text)[::-1]
    return [(path, int(line)) for path, line in found]


@cache
def overloads(kind: str) -> tuple[Any, ...]:
    """The OpOverloads that a kind of node may be; none but for those of aten."""
    packet = getattr(torch.ops.aten, kind.removeprefix("aten::"), None) if kind.startswith("aten::") else None
    return tuple(getattr(packet, name) for name in packet.overloads()) if packet is not None else ()


def operator(node: Node) -> Any:
    """The OpOverload of an aten node, or None."""
    kind = node.kind()
    schema = node.schema() if kind.startswith("aten::") else ""
    return _operator(schema.partition("(")[0]) if schema and schema != "(no schema)" else None


@cache
def _operator(name: str) -> Any:
    base, _, overload = name.removeprefix("aten::").partition(".")
    packet = getattr(torch.ops.aten, base, None)
    return getattr(packet, overload or "default", None) if packet is not None else None


def has_tag(node: Node, tag: torch.Tag) -> bool:
    """Whether torch says this of the operation."""
    if not _may_have_tag(node.kind(), tag):
        return False
    found = operator(node)
    return found is not None and tag in found.tags


@cache
def _may_have_tag(kind: str, tag: torch.Tag) -> bool:
    return any(tag in one.tags for one in overloads(kind))


def argument_names(node: Node) -> Set[str]:
    """The names of what an aten node takes."""
    found = operator(node)
    return _positions(found).keys() if found is not None else frozenset()


def argument(node: Node, name: str) -> Value | None:
    """What is given for the argument of that name, if the operation has it."""
    found = operator(node)
    index = _positions(found).get(name) if found is not None else None
    return node.inputsAt(index) if index is not None and index < node.inputsSize() else None


@cache
def _positions(operator: Any) -> dict[str, int]:
    return {argument.name: index for index, argument in enumerate(operator._schema.arguments)}


def constant_argument(node: Node, name: str) -> Any:
    """The value of the argument of that name, if it is a constant; None otherwise."""
    value = argument(node, name)
    return value.toIValue() if value is not None and value.node().kind() == "prim::Constant" else None


def mutates(node: Node) -> bool:
    """Whether the operation changes its first argument in place."""
    kind = node.kind().rpartition("::")[2]
    return kind.endswith("_") and not kind.endswith("__")


def base(value: Value) -> Value:
    """The value of which this one is a view, else itself."""
    while True:
        node = value.node()
        kind = node.kind().removeprefix("aten::")
        if kind in _VIEWS or mutates(node):
            value = node.inputsAt(0)
        elif kind == "prim::ListUnpack":
            value = node.input()
        else:
            return value


def computed_from(value: Value, sources: Container[int]) -> bool:
    """Whether operations lead from a value that bears one of these unique numbers to this one."""
    seen: set[int] = set()
    pending = [value]
    while pending:
        one = pending.pop()
        if one.unique() in sources:
            return True
        if one.unique() not in seen:
            seen.add(one.unique())
            pending.extend(inputs_of(one.node()))
    return False


def returned(graph: Graph) -> list[Value]:
    """The tensors that a graph returns, in flat order."""
    return list(_flat(graph.outputs()))


def _flat(values: Iterable[Value]) -> Iterator[Value]:
    for value in values:
        if value.node().kind() in ("prim::TupleConstruct", "prim::ListConstruct"):
            yield from _flat(inputs_of(value.node()))
        elif value.node().kind() == "prim::DictConstruct":
            yield from _flat(inputs_of(value.node())[1::2])
        else:
            yield value


def tensor_inputs(graph: Graph) -> list[Value]:
    """The inputs of a graph without the module itself."""
    return [value for value in graph.inputs() if value.type().kind() != "ClassType"]
