"""Numbers that were computed from sizes: whether a condition on them holds for all, for none, or for some.

A size is an affine function of one dim, as far as the sizes seen in several traces say so; arithmetic on
such functions is exact, and a condition is decided if it comes out the same everywhere in the ranges of the
dims.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Literal

from kit.guards.graph import Node, Value, inputs_of
from kit.signature import Dim

_PASS_NAMES = """
    prim::NumToTensor prim::ImplicitTensorToNum aten::Int aten::Float aten::Bool aten::ScalarImplicit
    aten::IntImplicit aten::item aten::to aten::detach aten::clone
"""
_PASS = frozenset(_PASS_NAMES.split())
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "aten::eq": operator.eq,
    "aten::ne": operator.ne,
    "aten::lt": operator.lt,
    "aten::le": operator.le,
    "aten::gt": operator.gt,
    "aten::ge": operator.ge,
}
_DEPTH = 50

Verdict = Literal["always", "never", "varies", "unknown"]
"""What a condition is over all sizes within the ranges; "unknown" if that cannot be told."""

_ALWAYS: Verdict = "always"
_NEVER: Verdict = "never"
_OPPOSITE: Mapping[Verdict, Verdict] = {_ALWAYS: _NEVER, _NEVER: _ALWAYS}


@dataclass(frozen=True)
class Term:
    """A number of a trace: a constant, the size that a node took, or an operation on terms."""

    kind: str
    value: float = 0
    parts: tuple[Term, ...] = ()


@dataclass(frozen=True)
class Affine:
    """A constant plus a multiple of each dim."""

    constant: float
    factors: Mapping[str, float] = field(default_factory=dict)

    def plus(self, other: Affine, sign: float = 1) -> Affine:
        """The sum, or with sign -1 the difference."""
        names = {*self.factors, *other.factors}
        sums = {name: self.factors.get(name, 0) + sign * other.factors.get(name, 0) for name in names}
        factors = {name: factor for name, factor in sums.items() if factor}
        return Affine(self.constant + sign * other.constant, factors)

    def times(self, factor: float) -> Affine:
        """The multiple."""
        factors = {name: factor * one for name, one in self.factors.items() if factor}
        return Affine(self.constant * factor, factors)

    def bounds(self, dims: Mapping[str, Dim]) -> tuple[float, float]:
        """The least and the greatest value within the ranges of the dims."""
        low = high = self.constant
        for name, factor in self.factors.items():
            ends = (factor * dims[name].min, factor * dims[name].max)
            low, high = low + min(ends), high + max(ends)
        return low, high


def term_of(value: Value, observed: Callable[[Node], Sequence[int]], depth: int = 0) -> Term | None:
    """The term of a value of a graph, or None if it is no arithmetic on sizes.

    observed: gives the sizes, one or all of a tensor's, that a node took in this trace.
    """
    node = value.node()
    kind = node.kind()
    if depth > _DEPTH:
        return None
    if kind in _PASS:
        return term_of(node.inputsAt(0), observed, depth + 1)
    if kind == "prim::Constant":
        return _constant(value)
    if kind in ("aten::size", "aten::numel"):
        sizes = [Term("size", size) for size in observed(node)] or [Term("constant", 1)]
        return reduce(lambda one, other: Term("aten::mul", 0, (one, other)), sizes)
    if kind == "aten::div" and node.inputsSize() > 2:  # rounded, which its name does not tell
        return None
    parts = [term_of(one, observed, depth + 1) for one in inputs_of(node)[:2]]
    known = [part for part in parts if part is not None]
    return Term(kind, 0, tuple(known)) if known and len(known) == len(parts) else None


def _constant(value: Value) -> Term | None:
    number = value.toIValue()
    try:
        return Term("constant", float(number))
    except (TypeError, ValueError, RuntimeError):  # a list, a text, or a tensor of several elements
        return None


def fit(seen: Sequence[float], sizes: Sequence[Mapping[str, int]]) -> Affine | None:
    """The affine function of one dim that gave these values at these sizes of the dims, if there is one."""
    if len(set(seen)) == 1:
        return Affine(seen[0])
    for name in sizes[0]:
        points = dict(zip((at[name] for at in sizes), seen, strict=True))
        if len(points) < 2:
            continue
        (x0, y0), (x1, y1) = list(points.items())[:2]
        slope = (y1 - y0) / (x1 - x0)
        if all(y == y0 + slope * (at[name] - x0) for y, at in zip(seen, sizes, strict=True)):
            return Affine(y0 - slope * x0, {name: slope})
    return None


def affine(terms: Sequence[Term], sizes: Sequence[Mapping[str, int]]) -> Affine | None:
    """The affine function that one term is, given as it was at each of the sizes; None if it is none."""
    kind = terms[0].kind
    if kind in ("size", "constant"):
        return fit([term.value for term in terms], sizes)
    parts = [affine(column, sizes) for column in _columns(terms)]
    if any(part is None for part in parts):
        return None
    known = [part for part in parts if part is not None]
    if kind in ("aten::add", "aten::sub", "aten::rsub"):
        left, right = known if kind != "aten::rsub" else known[::-1]
        return left.plus(right, 1 if kind == "aten::add" else -1)
    if kind == "aten::neg":
        return known[0].times(-1)
    if kind == "aten::mul" and any(not part.factors for part in known):
        left, right = known if not known[1].factors else known[::-1]
        return left.times(right.constant)
    exact = all(not part.factors for part in known) and len(known) == 2
    if exact and kind in ("aten::floor_divide", "aten::remainder") and known[1].constant:
        function = operator.floordiv if kind == "aten::floor_divide" else operator.mod
        return Affine(function(known[0].constant, known[1].constant))
    return None


def verdict(terms: Sequence[Term], sizes: Sequence[Mapping[str, int]], dims: Mapping[str, Dim]) -> Verdict:
    """Whether a condition, given as it was at each of the sizes, holds within the ranges of the dims."""
    kind = terms[0].kind
    if kind in _COMPARISONS:
        left, right = (affine(column, sizes) for column in _columns(terms))
        if left is None or right is None:
            return "unknown"
        return _decided(kind, left.plus(right, -1).bounds(dims))
    if kind in ("aten::__and__", "aten::__or__", "aten::logical_and", "aten::logical_or"):
        parts = [verdict(column, sizes, dims) for column in _columns(terms)]
        either = kind.endswith(("or__", "or"))
        ruling, other = (_ALWAYS, _NEVER) if either else (_NEVER, _ALWAYS)
        return _first(parts, (ruling, "varies", "unknown", other))
    if kind in ("aten::logical_not", "aten::__not__", "aten::bitwise_not"):
        inner = verdict(next(iter(_columns(terms))), sizes, dims)
        return _OPPOSITE.get(inner, inner)
    number = affine(terms, sizes)
    return "unknown" if number is None else _decided("aten::ne", number.bounds(dims))


def other_sizes(
    terms: Sequence[Term], sizes: Sequence[Mapping[str, int]], dims: Mapping[str, Dim], most: int
) -> tuple[str, list[int]] | None:
    """The sizes of one dim for which a comparison comes out otherwise than it did, if these are few.

    Gives the dim and these sizes; None if there are more than `most`, several dims, or it cannot be told.
    """
    kind = terms[0].kind
    if kind not in _COMPARISONS:
        return None
    left, right = (affine(column, sizes) for column in _columns(terms))
    difference = left.plus(right, -1) if left is not None and right is not None else None
    if difference is None or len(difference.factors) != 1:
        return None
    name, factor = next(iter(difference.factors.items()))
    came_out = _COMPARISONS[kind](difference.constant + factor * sizes[0][name], 0)
    turn = -difference.constant / factor
    # It turns at one size: what comes out otherwise is there, or at one end of the range.
    near = {math.floor(turn) + step for step in range(-most, most + 2)}
    ends = {dims[name].min + step for step in range(most + 1)} | {
        dims[name].max - step for step in range(most + 1)
    }
    other = [
        size
        for size in sorted(near | ends)
        if dims[name].min <= size <= dims[name].max
        and _COMPARISONS[kind](difference.constant + factor * size, 0) != came_out
    ]
    return (name, other) if len(other) <= most else None


def _first(parts: Sequence[Verdict], order: Sequence[Verdict]) -> Verdict:
    """The first of the order that is among the parts."""
    return next(one for one in order if one in parts)


def _decided(kind: str, bounds: tuple[float, float]) -> Verdict:
    """A comparison with zero of what lies within bounds."""
    low, high = bounds
    if kind in ("aten::eq", "aten::ne"):
        if low <= 0 <= high and low != high:
            return "varies"
        return "always" if (low == high == 0) == (kind == "aten::eq") else "never"
    first, last = _COMPARISONS[kind](low, 0), _COMPARISONS[kind](high, 0)
    if first != last:
        return "varies"
    return "always" if first else "never"


def _columns(terms: Sequence[Term]) -> list[list[Term]]:
    return [list(column) for column in zip(*(term.parts for term in terms), strict=True)]


def same_form(terms: Sequence[Term | None]) -> bool:
    """Whether all are there and are the same operations on the same constants."""
    first = terms[0]
    if first is None or any(
        term is None or term.kind != first.kind or len(term.parts) != len(first.parts) for term in terms
    ):
        return False
    known = [term for term in terms if term is not None]
    return all(same_form(column) for column in _columns(known))
