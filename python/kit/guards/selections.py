"""Selections: along one dimension, what a mask or `nonzero` gives is as long as there are such elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from kit.guards.graph import Node, Value, argument, constant_argument, has_tag, inputs_of

_UNTAGGED = frozenset(["aten::nonzero_numpy", "aten::where"])
"""Selections of which torch's tags do not tell; `where` is one if only a condition is given."""
_COUNTED = frozenset(["aten::repeat_interleave", "aten::tensor_split"])
"""Their second argument may be a tensor of sizes."""
_SLICES = frozenset(["aten::slice", "aten::narrow"])
_RESHAPES = frozenset(["aten::flatten", "aten::reshape", "aten::view"])
_TRANSPOSES = frozenset(["aten::t", "aten::numpy_T", "aten::mT", "aten::transpose", "aten::permute"])
_PRODUCTS = frozenset(["aten::linear", "aten::matmul", "aten::mm", "aten::bmm"])
_MIXES = frozenset(["aten::einsum", "aten::movedim", "aten::swapaxes", "aten::swapdims", "aten::adjoint"])
"""The dimensions of what they give are in another order."""
_LISTS = frozenset(["prim::ListConstruct", "prim::ListUnpack"])


def selects(node: Node, kind: str) -> bool:
    """Whether an operation gives as much as there is in its input: indexing does only with a mask."""
    if kind in _UNTAGGED:
        return bool(node.inputsSize() == 1)
    if not has_tag(node, torch.Tag.dynamic_output_shape):
        return False
    return kind != "aten::index" or any(map(_is_mask, _indices(node)))


def takes_counts(node: Node, kind: str) -> bool:
    """Whether the second argument of an operation tells how much it gives."""
    if kind not in _COUNTED or node.inputsSize() < 2:
        return False
    size = argument(node, "output_size")
    return size is None or bool(size.type().kind() == "NoneType")


def selected(value: Value, dim: int, wild: Callable[[Value], bool]) -> bool | None:
    """Whether this dimension of a value is one along which elements were selected: the others, as the four
    columns of boxes that are kept, are as long as ever. None if that cannot be told.

    wild: whether the shape of a value depends on elements at all, as it does for this one.
    """
    rank = 0
    while True:
        node, rank = value.node(), _rank(value, rank)
        kind = node.kind()
        dim %= max(1, rank)
        if kind == "aten::index":
            along = _indexed_along(node, dim, wild)
            return None if along is False and wild(node.inputsAt(0)) else along
        sources = [one for one in inputs_of(node) if wild(one)]
        if not sources:
            selecting = _selecting_dim(node, kind, rank)
            return None if selecting is None else dim == selecting
        if kind in _TRANSPOSES:
            dim = _before(node, kind, rank, dim)
        elif kind in ("aten::select", "aten::unbind"):
            dim += dim >= _dim_argument(node) % (rank + 1)
        elif kind == "aten::unsqueeze":
            new = _dim_argument(node) % rank
            if dim == new:
                return False
            dim -= dim > new
        elif kind in _RESHAPES and dim == 0 and _rank(sources[0], rank) != rank:
            return True
        elif not _keeps(kind, value, sources, rank, dim):
            return None
        value = sources[0]


def _indexed_along(node: Node, dim: int, wild: Callable[[Value], bool]) -> bool | None:
    """The same of what indexing gives, if it takes from a tensor of known size."""
    given = {place: one for place, one in enumerate(_indices(node)) if _is_tensor(one.type())}
    places = list(given)
    if not places or places != list(range(places[0], places[-1] + 1)):
        return None
    return dim == places[0] if any(_is_mask(one) or wild(one) for one in given.values()) else None


def _indices(node: Node) -> list[Value]:
    return inputs_of(node.inputsAt(1).node())


def _is_mask(index: Value) -> bool:
    return _is_tensor(index.type()) and index.type().scalarType() in ("Bool", "Byte")


def _selecting_dim(node: Node, kind: str, rank: int) -> int | None:
    """The dimension along which an operation gives as much as it selects, if it selects."""
    if kind == "aten::one_hot":
        return rank - 1
    counts = kind in _SLICES or takes_counts(node, kind)
    return _dim_argument(node) if counts or selects(node, kind) else None


def _dim_argument(node: Node) -> int:
    return constant_argument(node, "dim") or 0


def _before(node: Node, kind: str, rank: int, dim: int) -> int:
    """Where a dimension was before it was transposed."""
    if kind == "aten::permute":
        order: list[int] = [value.toIValue() for value in _indices(node)]
        return order[dim] % rank
    if kind == "aten::numpy_T":
        return rank - 1 - dim
    one, other = rank - 2, rank - 1
    if kind == "aten::transpose":
        one, other = ((constant_argument(node, name) or 0) % rank for name in ("dim0", "dim1"))
    return {one: other, other: one}.get(dim, dim)


def _keeps(kind: str, value: Value, sources: Sequence[Value], rank: int, dim: int) -> bool:
    """Whether a dimension of what an operation gives is that of the first of its sources, as far as the sizes
    in the trace tell."""
    if any(_rank(one, rank) != rank for one in sources) or kind in _MIXES:
        return False
    if kind in _LISTS or (len(sources) == 1 and kind in _PRODUCTS):
        return True
    sizes = [one.type().sizes() for one in (value, *sources) if _is_tensor(one.type())]
    if None in sizes or kind in _PRODUCTS:
        return False
    return len({one[dim] if len(sources) == 1 else tuple(one) for one in sizes}) <= 1


def _is_tensor(kind: Any) -> bool:
    return bool(kind.kind() == "TensorType")


def _rank(value: Value, unknown: int) -> int:
    """How many dimensions a tensor has, `unknown` for what is none, as a list."""
    kind = value.type()
    sizes = kind.sizes() if _is_tensor(kind) else None
    return len(sizes) if sizes is not None else unknown
