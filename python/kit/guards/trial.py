"""Trying a condition that cannot be reasoned about: what it comes to at sizes that were not traced."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, combinations, product

from kit.guards.numbers import Term, fit
from kit.signature import Dim

_OPERATIONS: Mapping[str, Callable[..., float]] = {
    "add": operator.add,
    "sub": operator.sub,
    "rsub": lambda one, other: other - one,
    "mul": operator.mul,
    "div": operator.truediv,
    "true_divide": operator.truediv,
    "floor_divide": operator.floordiv,
    "remainder": operator.mod,
    "fmod": math.fmod,
    "pow": operator.pow,
    "neg": operator.neg,
    "abs": abs,
    "ceil": math.ceil,
    "floor": math.floor,
    "sqrt": math.sqrt,
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "maximum": max,
    "minimum": min,
    "__and__": lambda one, other: bool(one) and bool(other),
    "__or__": lambda one, other: bool(one) or bool(other),
    "logical_and": lambda one, other: bool(one) and bool(other),
    "logical_or": lambda one, other: bool(one) or bool(other),
    "logical_not": operator.not_,
}
_NEAR = 256
"""How many sizes from the bounds of a dim on are tried."""
_CORNERS = 4


def turned(
    terms: Sequence[Term],
    sizes: Sequence[Mapping[str, int]],
    dims: Sequence[Dim],
    most: int,
    of: Callable[[float], float] = bool,
) -> list[dict[str, int]]:
    """Up to `most` sizes of dims at which a condition comes out otherwise than it did for the example.

    terms: the condition as it was at each of the sizes, the first of which are those of the example. of: what
    of its value matters. What is found names only the dims that have another size than in the example.
    Nothing is found if the condition cannot be computed.
    """
    found: list[dict[str, int]] = []
    came_out = _value(terms, sizes, sizes[0])
    for changed in chain(_alone(dims), _corners(dims)):
        value = _value(terms, sizes, {**sizes[0], **changed})
        if value is None or came_out is None or len(found) == most or (found and len(changed) > 1):
            break
        if of(value) != of(came_out):
            found.append(changed)
    return found


def _alone(dims: Sequence[Dim]) -> Iterator[dict[str, int]]:
    """Sizes of one dim, the others as in the example."""
    return ({dim.name: size} for dim in dims for size in _sizes(dim))


def _corners(dims: Sequence[Dim]) -> Iterator[dict[str, int]]:
    """All dims at their bounds."""
    for corner in product(*((dim.max, dim.min) for dim in dims[:_CORNERS])):
        yield dict(zip((dim.name for dim in dims), corner, strict=False))


def _sizes(dim: Dim) -> Iterator[int]:
    """Sizes of a dim: 0 and 1 come last, for these have branches that make no difference."""
    first = range(max(dim.min, 2), min(dim.max, dim.min + _NEAR) + 1)
    yield from first
    yield from range(max(first.stop, dim.max - _NEAR), dim.max + 1)
    yield from range(dim.min, min(dim.max, 1) + 1)


def _product(
    seen: Sequence[float], sizes: Sequence[Mapping[str, int]], at: Mapping[str, int]
) -> float | None:
    """What a multiple of several dims, as a flattened tensor has, is at other sizes; None if it is none."""
    for count in range(2, min(len(at), _CORNERS) + 1):
        for names in combinations(at, count):
            volumes = [math.prod(one[name] for name in names) for one in sizes]
            if all(volumes) and len(set(map(operator.truediv, seen, volumes))) == 1:
                return seen[0] / volumes[0] * math.prod(at[name] for name in names)
    return None


def _value(terms: Sequence[Term], sizes: Sequence[Mapping[str, int]], at: Mapping[str, int]) -> float | None:
    """What the term, given as it was at each of the sizes, is at other sizes."""
    if terms[0].kind in ("size", "constant"):
        seen = [term.value for term in terms]
        line = fit(seen, sizes)
        if line is None:
            return _product(seen, sizes, at)
        return line.constant + sum(factor * at[name] for name, factor in line.factors.items())
    parts = [_value(list(column), sizes, at) for column in zip(*(term.parts for term in terms), strict=True)]
    function = _OPERATIONS.get(terms[0].kind.removeprefix("aten::"))
    if function is None or any(part is None for part in parts):
        return None
    try:
        return function(*parts)
    except (ArithmeticError, TypeError, ValueError):  # as a division by zero, or arguments of another meaning
        return None
