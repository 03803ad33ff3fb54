"""Arithmetic on sizes: what holds for all, for none, or for some within the ranges."""

from __future__ import annotations

import pytest

from kit.guards.numbers import Affine, Term, affine, fit, other_sizes, same_form, verdict
from kit.signature import Dim

SIZES = [{"n": 4, "m": 5}, {"n": 3, "m": 7}, {"n": 11, "m": 13}]
DIMS = {"n": Dim("n", 2, 16), "m": Dim("m", 1, 8)}
N = [Term("size", at["n"]) for at in SIZES]
M = [Term("size", at["m"]) for at in SIZES]


def constant(value: float) -> list[Term]:
    return [Term("constant", value)] * len(SIZES)


def of(kind: str, *parts: list[Term]) -> list[Term]:
    return [Term(f"aten::{kind}", 0, column) for column in zip(*parts, strict=True)]


def test_fit_finds_the_dim() -> None:
    assert fit([4, 3, 11], SIZES) == Affine(0, {"n": 1})
    assert fit([11, 15, 27], SIZES) == Affine(1, {"m": 2})
    assert fit([6, 6, 6], SIZES) == Affine(6)
    assert fit([4, 3, 12], SIZES) is None


@pytest.mark.parametrize(
    ("terms", "wanted"),
    [
        (of("add", N, M), Affine(0, {"n": 1, "m": 1})),
        (of("sub", N, N), Affine(0)),
        (of("rsub", N, constant(1)), Affine(1, {"n": -1})),
        (of("mul", constant(3), M), Affine(0, {"m": 3})),
        (of("neg", M), Affine(0, {"m": -1})),
        (of("floor_divide", constant(7), constant(2)), Affine(3)),
        (of("mul", N, M), None),
        (of("floor_divide", N, constant(2)), None),
    ],
)
def test_affine(terms: list[Term], wanted: Affine | None) -> None:
    assert affine(terms, SIZES) == wanted


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        (of("gt", N, constant(1)), "always"),
        (of("gt", N, constant(2)), "varies"),
        (of("gt", N, constant(16)), "never"),
        (of("eq", N, N), "always"),
        (of("ne", N, M), "varies"),
        (of("eq", N, constant(1)), "never"),
        (of("gt", of("add", N, M), constant(24)), "never"),
        (of("eq", of("remainder", N, constant(2)), constant(0)), "unknown"),
        (of("__and__", of("gt", N, constant(1)), of("gt", M, constant(0))), "always"),
        (of("__and__", of("gt", N, constant(16)), of("gt", M, constant(3))), "never"),
        (of("__or__", of("gt", N, constant(16)), of("gt", M, constant(3))), "varies"),
        (of("logical_not", of("gt", N, constant(16))), "always"),
        (N, "always"),
    ],
)
def test_verdict(condition: list[Term], wanted: str) -> None:
    assert verdict(condition, SIZES, DIMS) == wanted


def test_other_sizes_are_given_where_they_are_few() -> None:
    assert other_sizes(of("gt", N, constant(2)), SIZES, DIMS, 4) == ("n", [2])
    assert other_sizes(of("ne", M, constant(1)), SIZES, DIMS, 4) == ("m", [1])
    assert other_sizes(of("gt", N, constant(8)), SIZES, DIMS, 4) is None
    assert other_sizes(of("gt", N, M), SIZES, DIMS, 4) is None


def test_same_form() -> None:
    assert same_form(of("gt", N, constant(2)))
    assert not same_form([*of("gt", N, constant(2)), None])
    assert not same_form([of("gt", N, M)[0], of("lt", N, M)[0]])
