"""Names, dtypes, shapes and dims."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from kit.errors import InputError, UsageError
from kit.signature import LARGEST, Dim, Signature, TensorSpec, resolve_dynamic

BATCH = Dim("batch", 1, 16)
TIME = Dim("time", 2, 5)
SIGNATURE = Signature(
    inputs=(
        TensorSpec("x", "float32", ("batch", 3)),
        TensorSpec("ids", "int64", ("batch", "time")),
    ),
    outputs=(TensorSpec("output", "float32", ("batch", "time", 2)),),
    dims=(BATCH, TIME),
)


def x(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.zeros(shape, dtype=dtype)


def ids(*shape: int) -> Tensor:
    return x(*shape, dtype=torch.int64)


@pytest.mark.parametrize(("batch", "time"), [(1, 2), (16, 5), (7, 3)])
def test_inputs_within_the_ranges_fit(batch: int, time: int) -> None:
    SIGNATURE.check_inputs([x(batch, 3), ids(batch, time)])


def test_values_are_not_looked_at() -> None:
    SIGNATURE.check_inputs([torch.full((2, 3), torch.nan), ids(2, 2)])


def test_an_empty_batch_fits_where_the_range_has_zero() -> None:
    signature = Signature((TensorSpec("x", "float32", ("n",)),), (), (Dim("n", 0, 4),))
    signature.check_inputs([x(0)])
    with pytest.raises(
        InputError, match=r"wanted float32\[n\], came float32\[5\]; dimension 0 is n in 0\.\.4"
    ):
        signature.check_inputs([x(5)])


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ([x(2, 3)], "2 inputs are wanted (x, ids), 1 came"),
        (
            [x(2, 3, dtype=torch.float64), ids(2, 2)],
            "input 'x': wanted float32[batch, 3], came float64[2, 3]",
        ),
        ([x(2, 3, 1), ids(2, 2)], "input 'x': wanted float32[batch, 3], came float32[2, 3, 1]"),
        ([x(2, 4), ids(2, 2)], "dimension 1 must be 3"),
        ([x(17, 3), ids(17, 2)], "dimension 0 is batch in 1..16"),
        ([x(0, 3), ids(0, 2)], "dimension 0 is batch in 1..16"),
        ([x(2, 3), ids(2, 6)], "input 'ids': wanted int64[batch, time], came int64[2, 6]"),
        ([x(2, 3), ids(3, 2)], "'batch' is 2 in input 'x', so it must be 2 here"),
    ],
)
def test_inputs_that_do_not_fit(tensors: list[Tensor], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        SIGNATURE.check_inputs(tensors)


def test_outputs_follow_the_dims_of_the_inputs() -> None:
    inputs = [x(2, 3), ids(2, 4)]
    SIGNATURE.check_outputs([x(2, 4, 2)], inputs)
    with pytest.raises(InputError, match=r"output 'output'.*'time' is 4 in input 'ids'"):
        SIGNATURE.check_outputs([x(2, 3, 2)], inputs)


def test_text() -> None:
    assert str(SIGNATURE.inputs[0]) == "float32[batch, 3]"
    assert str(TensorSpec("s", "bool", ())) == "bool[]"
    assert str(BATCH) == "batch in 1..16"
    assert str(Dim("rows", 0)) == "rows in 0..any"


@pytest.mark.parametrize(
    ("name", "least", "most"), [("", 1, 2), ("n", 2, 1), ("n", -1, 2), ("n", 1, LARGEST + 1), ("n", True, 2)]
)
def test_dims_that_are_none(name: str, least: int, most: int) -> None:
    with pytest.raises(UsageError):
        Dim(name, least, most)


def test_dynamic_dims_are_put_into_the_shapes() -> None:
    shapes, dims = resolve_dynamic(
        {"ids": {0: BATCH, -1: TIME}, "x": {0: Dim("batch", 1, 16)}}, {"x": (2, 3), "ids": (2, 4)}
    )
    assert shapes == {"x": ("batch", 3), "ids": ("batch", "time")}
    assert dims == (BATCH, TIME)


@pytest.mark.parametrize(
    ("dynamic", "message"),
    [
        ({"y": {0: BATCH}}, "dynamic names the input 'y', but the inputs are 'x', 'z'"),
        ({"x": {2: BATCH}}, "dynamic['x'][2]: 'x' has the dimensions 0 to 1"),
        ({"x": {0: "batch"}}, "dynamic['x'][0] is 'batch'; give a kit.Dim"),
        ({"x": BATCH}, "dynamic['x'] must map a dimension to a kit.Dim"),
        ({"x": {0: BATCH}, "z": {0: Dim("batch", 1, 8)}}, "dim 'batch' is declared as"),
        ({"x": {1: Dim("n", 1, 2)}}, "the example has size 3 in dimension 1, but n in 1..2"),
        ({"x": {0: BATCH, 1: BATCH}}, "dim 'batch' is 2 in the example of 'x' but 3 in that of 'x'"),
    ],
)
def test_dynamic_dims_that_do_not_fit_the_example(dynamic: Mapping[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        resolve_dynamic(dynamic, {"x": (2, 3), "z": (2,)})
