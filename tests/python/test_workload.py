"""Inputs of wanted sizes come from golden cases."""

from __future__ import annotations

import torch

from kit.signature import Dim, Signature, TensorSpec
from kit.workload import inputs_of

SIGNATURE = Signature(
    (TensorSpec("x", "float32", ("batch", 2)), TensorSpec("y", "float32", ("batch", "n"))),
    (TensorSpec("z", "float32", ("batch",)),),
    (Dim("batch", 1, 9), Dim("n", 1, 9)),
)
CASES = [
    [torch.randn(2, 2), torch.randn(2, 3)],
    [torch.arange(6.0).reshape(3, 2), torch.arange(12.0).reshape(3, 4)],
]


def test_sizes_are_those_of_the_dims() -> None:
    assert SIGNATURE.sizes(CASES[0]) == {"batch": 2, "n": 3}


def test_a_case_of_these_sizes_is_taken() -> None:
    assert all(
        a is b for a, b in zip(inputs_of(SIGNATURE, CASES, {"batch": 2, "n": 3}), CASES[0], strict=True)
    )


def test_the_largest_case_is_repeated() -> None:
    x, y = inputs_of(SIGNATURE, CASES, {"batch": 4, "n": 2})
    assert x.tolist() == [[0, 1], [2, 3], [4, 5], [0, 1]]
    assert y.tolist() == [[0, 1], [4, 5], [8, 9], [0, 1]]
