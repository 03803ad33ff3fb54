"""Reading TorchScript graphs: what a value comes from, what an operation is, and where its code is."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence, Set
from functools import cache
from typing import Any

import torch

from kit.source import Place, place_of, told_frames

Graph = Any
"""torch._C.Graph. Its Python interface has no types."""
Node = Any
Value = Any

_UNDECLARED = frozenset(["aten::unsafe_chunk", "aten::unsafe_split", "aten::unsafe_split_with_sizes"])
"""Views that torch's schemas do not tell of."""
_MAY_COPY_NAMES = """
    aten::contiguous aten::cpu aten::cuda aten::flatten aten::pin_memory aten::ravel aten::reshape
    aten::reshape_as aten::resolve_conj aten::resolve_neg aten::to
"""
_MAY_COPY = frozenset(_MAY_COPY_NAMES.split())
"""Operations that give a view, or what they took, where they can, and a copy where they cannot."""
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
    """The inner blocks of a node."""
    return list(node.blocks()) if may_have_blocks(node.kind()) else []


@cache
def may_have_blocks(kind: str) -> bool:
    """Whether nodes of a kind may have inner blocks; operations of torch have none."""
    return not kind.startswith("aten::") and kind not in _LEAVES


def place_of_node(node: Node) -> Place | None:
    """The line of code that a node was traced or compiled from."""
    return place_of(stack_of_node(node))


def stack_of_node(node: Node) -> list[tuple[str, int]]:
    """Paths and lines of the stack when a node was traced or compiled, the innermost first."""
    return told_frames(node.sourceRange())


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
    if not may_have_tag(node.kind(), tag):
        return False
    found = operator(node)
    return found is not None and tag in found.tags


@cache
def may_have_tag(kind: str, tag: torch.Tag) -> bool:
    """Whether torch says it of any operation of the kind."""
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


@cache
def mutates(kind: str) -> bool:
    """Whether operations of a kind change their first argument in place."""
    schemas = [one._schema for one in overloads(kind)]
    return any(_alias(schema, True) for schema in schemas) if schemas else kind.endswith("_")


@cache
def _views(kind: str) -> bool:
    """Whether an operation may give a view of its first argument."""
    return kind in _UNDECLARED or any(_alias(one._schema, False) for one in overloads(kind))


def _alias(schema: Any, written: bool) -> bool:
    """Whether what an operation returns is, or is a view of, a tensor that it takes first: one that it writes
    to, or one that it leaves alone."""
    first = schema.arguments[0] if schema.arguments and schema.returns else None
    alias = first.alias_info if first is not None and first.type.kind() == "TensorType" else None
    return alias is not None and alias.is_write == written


def base(value: Value, surely: bool = False) -> Value:
    """The value of which this one is a view, else itself.

    Some operations copy where they cannot give a view: for these it is told by the dtype, the device and the
    strides of what they took and gave. surely: take it for a copy where a graph does not say these, as one
    that was scripted or loaded.
    """
    while True:
        node = value.node()
        kind = node.kind()
        if kind == "prim::ListUnpack":
            value = node.input()
        elif kind in _MAY_COPY and _copies(node, value, surely):
            return value
        elif _views(kind) or mutates(kind):
            value = node.inputsAt(0)
        else:
            return value


def _copies(node: Node, value: Value, unknown: bool) -> bool:
    """Whether an operation that may copy did. unknown: the answer where the graph does not tell."""
    one, other = _layout(node.inputsAt(0)), _layout(value)
    if one is None or other is None:
        return unknown
    (sizes, strides, *kind), (new_sizes, new_strides, *new_kind) = one, other
    if kind != new_kind or constant_argument(node, "copy"):
        return True
    if sizes == new_sizes:
        return bool(strides != new_strides)
    return not _may_be_view(sizes, strides, new_sizes)


def _may_be_view(sizes: Sequence[int], strides: Sequence[int], new_sizes: Sequence[int]) -> bool:
    """Whether a tensor can be viewed with other sizes: these must split what lies in memory in one piece.
    (Torch is not asked, for this is called while it traces.)"""
    if 0 in sizes:
        return True
    pieces: list[int] = []
    end = 0
    for size, stride in zip(sizes, strides, strict=True):
        if size != 1:
            if pieces and size * stride == end:
                pieces[-1] *= size
            else:
                pieces.append(size)
            end = stride
    rest = iter(new_sizes)
    for piece in pieces:
        elements = 1
        while elements < piece:
            elements *= next(rest)
        if elements != piece:
            return False
    return True


def _layout(value: Value) -> tuple[Any, ...] | None:
    """Sizes, strides, dtype and device of a tensor, if the graph has them all."""
    kind = value.type()
    if kind.kind() != "TensorType":
        return None
    found = (kind.sizes(), kind.strides(), kind.dtype(), kind.device())
    return None if any(one is None for one in found) else found


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


def what_runs(graph: Graph, defaults: Sequence[Any] = ()) -> Graph:
    """What can run of a graph of TorchScript, of which a copy is made: in evaluation mode, and with these
    values for its last inputs. A branch that is never taken is not in it."""
    graph = graph.copy()
    given = list(graph.inputs())
    with graph.insert_point_guard(next(graph.nodes(), graph.return_node())):
        for index, default in reversed(list(enumerate(defaults, len(given) - len(defaults)))):
            given[index].replaceAllUsesWith(graph.insertConstant(default))
            graph.eraseInput(index)
        for node in graph.findAllNodes("prim::GetAttr"):
            if node.s("name") == "training" and node.output().type().kind() == "BoolType":
                node.output().replaceAllUsesWith(graph.insertConstant(False))
    for _ in range(2):  # torch leaves some alone that it made itself, and not the same ones each time
        torch._C._jit_pass_constant_propagation(graph)
    return graph


def tensor_inputs(graph: Graph) -> list[Value]:
    """The inputs of a graph without the module itself."""
    return [value for value in graph.inputs() if value.type().kind() != "ClassType"]
