"""Conditions on sizes that can merely be tried."""

from __future__ import annotations

import math

from kit.guards.numbers import Term
from kit.guards.trial import turned
from kit.signature import Dim

SIZES = [{"n": 5, "m": 2}, {"n": 3, "m": 7}, {"n": 11, "m": 13}]
DIMS = [Dim("n", 1, 16), Dim("m", 1, 16)]


def size(name: str) -> list[Term]:
    return [Term("size", at[name]) for at in SIZES]


def constant(value: float) -> list[Term]:
    return [Term("constant", value)] * len(SIZES)


def of(kind: str, *parts: list[Term]) -> list[Term]:
    return [Term(f"aten::{kind}", 0, column) for column in zip(*parts, strict=True)]


def test_a_remainder_turns_at_every_even_size() -> None:
    odd = of("eq", of("remainder", size("n"), constant(2)), constant(1))
    assert turned(odd, SIZES, DIMS, 3) == [{"n": 2}, {"n": 4}, {"n": 6}]


def test_a_product_turns_where_all_dims_are_large() -> None:
    large = of("gt", of("mul", size("n"), size("m")), constant(200))
    assert turned(large, SIZES, DIMS, 1) == [{"n": 16, "m": 16}]


def test_a_size_that_is_a_product_turns_there_too() -> None:
    flat = [Term("size", 2 * at["n"] * at["m"]) for at in SIZES]
    assert turned(of("gt", flat, constant(500)), SIZES, DIMS, 1) == [{"n": 16, "m": 16}]


def test_what_is_the_same_everywhere_does_not_turn() -> None:
    positive = of("gt", of("mul", size("n"), size("m")), constant(0))
    assert turned(positive, SIZES, DIMS, 4) == []


def test_one_comes_last() -> None:
    root = of("gt", of("pow", size("n"), constant(0.5)), constant(1.5))
    assert turned(root, SIZES, DIMS, 4) == [{"n": 2}, {"n": 1}]


def test_numbers_turn_where_they_are_other_numbers() -> None:
    half = of("floor_divide", size("n"), constant(4))
    assert turned(half, SIZES, DIMS, 1, float) == [{"n": 2}]
    assert turned(of("mul", half, constant(0)), SIZES, DIMS, 1, float) == []


def test_what_cannot_be_computed_is_left_alone() -> None:
    assert turned(of("gcd", size("n"), constant(4)), SIZES, DIMS, 4) == []
    assert turned(of("remainder", size("n"), constant(0)), SIZES, DIMS, 4) == []
    uneven = [Term("size", value) for value in (5, 3, 4)]
    assert turned(of("gt", uneven, constant(3)), SIZES, DIMS, 4) == []


def test_a_large_range_is_tried_at_both_ends() -> None:
    dims = [Dim("n", 1, 10**9)]
    sizes = [{"n": one["n"]} for one in SIZES]
    log = of("gt", of("sqrt", size("n")), constant(math.sqrt(10**8)))
    assert turned(log, sizes, dims, 1) == [{"n": 10**9 - 256}]
