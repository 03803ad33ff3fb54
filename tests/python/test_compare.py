"""Tolerances by dtype."""

from __future__ import annotations

import math

import pytest
import torch

from kit.compare import DEFAULT_TOLERANCES, Tolerance, tolerances_for
from kit.errors import UsageError
from kit.signature import DTYPES


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_defaults_are_those_of_torch(dtype: str) -> None:
    tolerance = tolerances_for([dtype], {})[dtype]
    wanted = torch.testing._comparison.default_tolerances(getattr(torch, dtype))
    assert (tolerance.rtol, tolerance.atol) == wanted


def test_given_tolerances_replace_the_defaults_and_unused_ones_are_left_out() -> None:
    given = {torch.float32: (0.5, 0.25), "float64": Tolerance(1, 2)}
    assert tolerances_for(["int64", "float32", "float32"], given) == {
        "float32": Tolerance(0.5, 0.25),
        "int64": Tolerance(0, 0),
    }
    assert tolerances_for(["float16"], given) == {"float16": DEFAULT_TOLERANCES["float16"]}


@pytest.mark.parametrize(
    "given",
    [
        {"float": (0, 0)},
        {"float32": 1e-5},
        {"float32": (0, 0, 0)},
        {"float32": (-1, 0)},
        {"float32": (0, math.nan)},
        {"float32": (0, math.inf)},
        {"float32": ("0", 0)},
    ],
)
def test_tolerances_that_are_none(given: dict[object, object]) -> None:
    with pytest.raises(UsageError):
        tolerances_for(["float32"], given)
