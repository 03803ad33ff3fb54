"""The search for inputs that take every branch of what was compiled."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import Tensor

import kit
from kit.coverage import cover_branches
from kit.guard import Guarded, guarded
from kit.recipe import Recipe
from kit.state import evaluating
from tests.python.branching import above_eight_rows, clamped, halved, nested, signed, unsigned

X = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def model_of(function: Any, args: Any = X, **known: Any) -> Guarded:
    with evaluating(None):
        return guarded(Recipe(function, args, on_branch="script", **known))


def test_a_model_without_branches_needs_no_search() -> None:
    assert cover_branches(model_of(lambda x: x * 2)) == ([], [])


def test_only_inputs_that_take_a_further_way_are_kept() -> None:
    found, notes = cover_branches(model_of(signed))
    assert notes == []
    assert [bool(tensors[0].sum() > 0) for tensors in found] == [False]


def test_every_way_through_two_conditions_is_looked_for() -> None:
    found, notes = cover_branches(model_of(clamped))
    assert notes == []
    assert any(bool(tensors[0].min() < 0) for tensors in found)  # the example has none
    moved = [tensors[0] - tensors[0].min().clamp(max=0) for tensors in found]
    assert any(bool(tensors.max() <= 3) for tensors in moved)


def test_a_condition_behind_another_is_reached() -> None:
    found, notes = cover_branches(model_of(nested, -X))
    assert notes == []
    inner = {bool(tensors[0][0, 0] > 0) for tensors in found if tensors[0].sum() > 0}
    assert inner == {True, False}


def test_a_loop_that_ends_has_taken_both_ways() -> None:
    assert cover_branches(model_of(halved)) == ([], [])


def test_what_is_not_found_is_named_once() -> None:
    found, notes = cover_branches(model_of(unsigned))
    assert found == []
    (note,) = notes
    assert re.match(
        r"\S*branching\.py:\d+: `if bool\(x\.sum\(\) == 12345\.678\):`: no inputs were found for which this "
        r"is True, so this branch is not verified: give inputs for it in `cases`$",
        note,
    )


def test_nothing_is_made_up_beside_the_recipes_own_cases() -> None:
    model = model_of(signed, cases=[X, X + 1])
    found, notes = cover_branches(model)
    assert found == []
    assert "for which this is False" in notes[0]
    found, notes = cover_branches(model_of(signed, cases=[X, -X]))
    assert notes == []


def test_inputs_that_the_model_refuses_say_nothing() -> None:
    def model(x: Tensor) -> Tensor:
        return torch.linalg.cholesky(torch.eye(2) * signed(x * 0 + x.sum()).abs().mean())

    found, notes = cover_branches(model_of(model))
    assert notes == []
    assert len(found) == 1


def test_the_generators_are_left_alone() -> None:
    model = model_of(signed)
    state = torch.get_rng_state()
    first, second = cover_branches(model)[0], cover_branches(model)[0]
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a[0], b[0]) for a, b in zip(first, second, strict=True))


def test_sizes_are_varied_too() -> None:
    model = model_of(above_eight_rows, dynamic={"x": {0: kit.Dim("n", 1, 64)}})
    found, notes = cover_branches(model)
    assert notes == []
    assert [len(tensors[0]) > 8 for tensors in found] == [True]


@pytest.mark.parametrize("most", [4, 8])
def test_a_size_that_is_out_of_range_is_not_tried(most: int) -> None:
    assert cover_branches(model_of(above_eight_rows, dynamic={"x": {0: kit.Dim("n", 1, most)}})) == ([], [])
