"""What a value of a graph depends on: the values of inputs, or merely sizes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from kit.guards.graph import (
    Graph,
    Node,
    Value,
    base,
    blocks_of,
    inputs_of,
    may_have_blocks,
    mutates,
    outputs_of,
    overloads,
)
from kit.guards.selections import selected, selects, takes_counts

_SIZES = frozenset(["aten::size", "aten::numel", "aten::len", "prim::shape", "aten::sym_size"])
_LIKE_NAMES = """
    aten::empty_like aten::full_like aten::ones_like aten::zeros_like aten::new_empty aten::new_full
    aten::new_ones aten::new_zeros aten::is_same_size
"""
_LIKE = frozenset(_LIKE_NAMES.split())
_SOURCES = frozenset(["prim::Constant", "prim::GetAttr"])


@dataclass(frozen=True)
class Origins:
    """What a value comes from.

    data: names of the inputs whose elements it depends on.
    sizes: the nodes that took sizes it depends on.
    wild: whether one of these sizes may depend on elements, as that of a boolean mask's selection does.
    """

    data: frozenset[str]
    sizes: tuple[Node, ...]
    wild: bool

    @property
    def constant(self) -> bool:
        """Whether it depends on no input at all."""
        return not self.data and not self.sizes


@dataclass(frozen=True)
class _Taint:
    """What is known of one value. data, sizes, wild: as in Origins. shaped: whether its shape may depend on
    an input. shaped_wildly: whether it may depend on elements of one."""

    data: frozenset[str] = frozenset()
    sizes: frozenset[Node] = frozenset()
    wild: bool = False
    shaped: bool = False
    shaped_wildly: bool = False

    def __or__(self, other: _Taint) -> _Taint:
        if other is self or other is _CLEAN:  # most are
            return self
        if self is _CLEAN:
            return other
        if self.covers(other):
            return self
        return _Taint(
            self.data | other.data,
            self.sizes | other.sizes,
            self.wild or other.wild,
            self.shaped or other.shaped,
            self.shaped_wildly or other.shaped_wildly,
        )

    def covers(self, other: _Taint) -> bool:
        """Whether there is nothing in the other that is not in this one."""
        return (
            other.data <= self.data
            and other.sizes <= self.sizes
            and (self.wild or not other.wild)
            and (self.shaped or not other.shaped)
            and (self.shaped_wildly or not other.shaped_wildly)
        )


_CLEAN = _Taint()


class Tracer:
    """Knows what the values of one graph depend on, whose inputs have the given names.

    The graph may grow: what was added since is looked at when the next question is asked.
    """

    def __init__(self, graph: Graph, names: dict[int, str]) -> None:
        self._graph = graph
        self._taints = {unique: _Taint(frozenset([name]), shaped=True) for unique, name in names.items()}
        self._written: dict[int, _Taint] = {}
        # What is asked of a value's type is asked once, for it costs as much as all else.
        self._numbers = {value.unique() for value in graph.inputs() if _is_number(value)}
        self._done: dict[tuple[int, ...], tuple[Node | None, int]] = {}

    def origins(self, values: Iterable[Value]) -> Origins:
        """What the values depend on."""
        self._advance()
        taint = _CLEAN
        for value in values:
            taint |= self._taint(value)
        return Origins(taint.data, tuple(taint.sizes), taint.wild)

    def size_of(self, value: Value) -> Origins:
        """What the sizes of the value depend on."""
        self._advance()
        taint = self._taint(value)
        return Origins(frozenset(), (value.node(),) if taint.shaped else (), taint.shaped_wildly)

    def length_of(self, value: Value, dim: int | None) -> Origins:
        """What the length of one dimension of the value depends on, if that is surely a matter of elements;
        nothing of none."""
        self._advance()
        wild = dim is not None and self._wild(value) and selected(value, dim, self._wild) is True
        return Origins(frozenset(), (value.node(),) if wild else (), wild)

    def reaches_input(self, value: Value) -> bool:
        """Whether the value depends on an input, be it only on its size."""
        self._advance()
        taint = self._taint(value)
        return bool(taint.data or taint.sizes or taint.shaped)

    def _advance(self) -> None:
        """Look at the nodes that the graph has more than at the last time."""
        self._look_into(self._graph, ())

    def _look_into(self, block: Any, where: tuple[int, ...]) -> None:
        """Look at the new nodes of a block, which is found by the positions of the nodes that it is in."""
        last, done = self._done.get(where, (None, 0))
        new = list(_since(block, last))
        for index, node in enumerate(reversed(new), done):
            self._look(node, (*where, index))
        if new:
            # The last node may be a module call in progress, whose block grows: it is looked at again.
            self._done[where] = (new[1] if len(new) > 1 else last, done + len(new) - 1)

    def _look(self, node: Node, where: tuple[int, ...]) -> None:
        kind = node.kind()
        if kind in _SOURCES:
            return
        inputs = inputs_of(node)
        taints = [self._taint(value) for value in inputs]
        if may_have_blocks(kind):
            for number, block in enumerate(blocks_of(node)):
                self._look_into(block, (*where, number))
                taints += [self._taint(value) for value in block.outputs()]
        tainted = {id(taint): taint for taint in taints if taint is not _CLEAN}
        if not tainted:
            return  # most nodes, and so is what they give
        result = self._combined(node, kind, inputs, taints, tainted.values())
        for value in outputs_of(node):
            unique = value.unique()
            self._taints[unique] = result
            if _may_give_number(kind) and _is_number(value):
                self._numbers.add(unique)
        if inputs and mutates(kind):
            target = base(inputs[0]).unique()
            self._written[target] = self._written.get(target, _CLEAN) | result

    def _combined(
        self, node: Node, kind: str, inputs: list[Value], taints: list[_Taint], tainted: Iterable[_Taint]
    ) -> _Taint:
        """What the outputs of a node depend on, given what its inputs do; tainted: each that is not clean."""
        if kind in _SIZES:
            of = taints[0]
            wild = of.shaped_wildly and not self._is_fixed(node, kind)
            return _Taint(sizes=frozenset([node]) if of.shaped else frozenset(), wild=wild)
        total = _CLEAN
        for taint in tainted:
            total |= taint
        if kind in _LIKE:
            values = _CLEAN
            for taint in taints[1:]:
                values |= taint
            of = taints[0]
            total = _Taint(values.data, values.sizes, values.wild, of.shaped, of.shaped_wildly) | values
        numbers = [
            taint
            for value, taint in zip(inputs, taints, strict=False)
            if taint is not _CLEAN and value.unique() in self._numbers
        ]
        shaped = total.shaped or any(taint.sizes or taint.data for taint in numbers)
        wildly = (
            total.shaped_wildly
            or any(taint.data or taint.wild for taint in numbers)
            or (bool(total.data) and selects(node, kind))
            or (takes_counts(node, kind) and bool(taints[1].data))
        )
        if (shaped, wildly) == (total.shaped, total.shaped_wildly):
            return total  # of which there are few: that saves making as many as there are nodes
        return _Taint(total.data, total.sizes, total.wild, shaped, wildly)

    def _is_fixed(self, node: Node, kind: str) -> bool:
        """Whether what is asked is the size of a dimension along which nothing was selected."""
        dim = node.inputsAt(1).toIValue() if kind == "aten::size" and node.inputsSize() > 1 else None
        return isinstance(dim, int) and selected(node.inputsAt(0), dim, self._wild) is False

    def _wild(self, value: Value) -> bool:
        return self._taint(value).shaped_wildly

    def _taint(self, value: Value) -> _Taint:
        taint = self._taints.get(value.unique(), _CLEAN)
        if not self._written:
            return taint
        return taint | self._written.get(base(value).unique(), _CLEAN)


def _since(block: Any, last: Node | None) -> Iterator[Node]:
    """The nodes of a block after `last`, from the end."""
    end = block.return_node() if isinstance(block, torch.Graph) else block.returnNode()
    first = block.param_node() if isinstance(block, torch.Graph) else block.paramNode()
    node = end.prev()
    while node is not first and node is not last:
        yield node
        node = node.prev()


@cache
def _may_give_number(kind: str) -> bool:
    """Whether operations of a kind may give something else than tensors."""
    returned = [one.type.kind() for overload in overloads(kind) for one in overload._schema.returns]
    return not returned or any(one != "TensorType" for one in returned)


def _is_number(value: Value) -> bool:
    """Whether the value is a number or a list of numbers, which an operation may take a shape from."""
    kind = value.type().kind()
    return kind in ("IntType", "FloatType", "NumberType") or (
        kind == "ListType" and value.type().getElementType().kind() == "IntType"
    )
