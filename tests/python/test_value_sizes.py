"""Outputs whose sizes depend on values: the example's, which may all be the same, do not hide it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

import kit
import kit.prove
from kit.errors import TraceError
from kit.exporter import export_with_report

ZEROS = torch.zeros(4, dtype=torch.int64)
BATCH = {"x": {0: kit.Dim("batch", 1, 9)}}


def positive(x: Tensor) -> Tensor:
    return x[x > 0]


def positions(x: Tensor) -> Tensor:
    return torch.where(x > 0)[0]


def unpacked(x: Tensor) -> Tensor:
    """The sequences as long as the longest of them."""
    steps = torch.ones(2, 5, 3)
    packed = torch.nn.utils.rnn.pack_padded_sequence(steps, x, batch_first=True, enforce_sorted=False)
    return torch.nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)[0]


@pytest.mark.parametrize(
    ("model", "example"),
    [
        (lambda x: functional.one_hot(x), ZEROS),
        (lambda x: torch.unique(x), ZEROS),
        (lambda x: torch.bincount(x), ZEROS),
        (lambda x: torch.repeat_interleave(x, x), ZEROS + 1),
        (lambda x: x.nonzero(), ZEROS),
        (lambda x: x.nonzero(), ZEROS + 1.0),
        (lambda x: x.nonzero(as_tuple=True)[0], ZEROS),
        (lambda x: torch.ones(x.shape)[x], ZEROS == 0),
        (lambda x: torch.masked_select(x, x < 3), ZEROS),
        (positive, ZEROS),
        (positions, ZEROS),
    ],
)
def test_a_shape_that_follows_from_values_is_refused(
    model: Callable[..., Any], example: Tensor, tmp_path: Path
) -> None:
    message = r"the shape of output 'output' depends on the values of the inputs: \[.*\] for the example, \["
    with pytest.raises(TraceError, match=message) as raised:
        kit.export(model, example, tmp_path / "model.pt", dynamic=BATCH)
    assert "test_value_sizes.py" in str(raised.value)
    (finding,) = kit.lint(model, example, dynamic=BATCH)
    assert str(finding) == str(raised.value)


def test_lengths_that_are_all_the_same(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"\[2, 5, 3\] for the example, \[2, 1, 3\] for ones"):
        kit.export(unpacked, torch.tensor([5, 5]), tmp_path / "model.pt")


@pytest.mark.parametrize("make", [torch.arange, torch.zeros])
def test_a_number_that_is_a_size_is_refused(make: Callable[..., Tensor], tmp_path: Path) -> None:
    def model(x: Tensor, count: int) -> Tensor:
        return make(count) + x.sum()

    with pytest.raises(TraceError, match=r"\[0\] for the example, \[1\] for 1 instead of 0"):
        kit.export(model, (torch.ones(4), 0), tmp_path / "model.pt", scalars=["count"])


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (lambda x: functional.one_hot(x, 10), ("batch", 10)),
        (lambda x: torch.unique(x, return_inverse=True)[1], ("batch",)),
        (lambda x: x.nonzero().sum(), ()),
        (lambda x: torch.repeat_interleave(x, 2)[: x.shape[0]], ("batch",)),
        (lambda x: torch.ones(x.shape).masked_fill(x > 0, 2.0)[torch.zeros_like(x)], ("batch",)),
    ],
)
def test_a_shape_that_follows_from_sizes_is_not(
    model: Callable[..., Any], shape: tuple[int | str, ...], tmp_path: Path
) -> None:
    archive = kit.export(model, ZEROS, tmp_path / "model.pt", dynamic=BATCH)
    assert archive.signature is not None
    assert archive.signature.outputs[0].shape == shape


def test_values_that_the_model_refuses_say_nothing(tmp_path: Path) -> None:
    weight = torch.ones(1, 3)

    def model(x: Tensor) -> Tensor:
        return functional.embedding(x, weight)[x == 0]

    archive = kit.export(model, ZEROS, tmp_path / "model.pt", dynamic=BATCH)
    assert archive.signature is not None
    assert archive.signature.outputs[0].shape == ("batch", 3)


def test_cases_of_the_recipe_have_the_values_that_may_come(tmp_path: Path) -> None:
    cases = [ZEROS + 1, ZEROS[:3] + 1, ZEROS[:1] + 1]
    archive = kit.export(positive, ZEROS + 1, tmp_path / "model.pt", dynamic=BATCH, cases=cases)
    assert archive.signature is not None
    assert archive.signature.outputs[0].shape == ("batch",)


def test_extreme_values_that_change_a_shape_are_refused_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit.guard.sizes_by_values", lambda *_: [])
    example = torch.ones(4)
    with pytest.raises(TraceError, match=r"zeros: output 'output': wanted float32\[4\], came float32\[0\]"):
        kit.export(positive, example, tmp_path / "model.pt", cases=1)
    done = export_with_report(positive, example, tmp_path / "model.pt", known={"cases": [example]})
    assert any(note.startswith("zeros were not compared, because they do not fit") for note in done.notes)
