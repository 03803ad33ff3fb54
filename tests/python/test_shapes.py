"""Output dims are found by trying sizes: the recipe's own where it gives them, random ones otherwise."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import kit
from kit.eager import Eager
from kit.errors import InputError, TraceError
from kit.shapes import Probe, declared_inputs, infer_signature, probes
from kit.signature import Signature

BATCH = kit.Dim("batch", 1, 64)


def infer(model: Any, args: Any, **known: Any) -> Signature:
    recipe = kit.Recipe(model, args, **known)
    return infer_signature(Eager(recipe, None), recipe)


def test_an_output_dimension_that_moves_with_a_dim_is_that_dim() -> None:
    signature = infer(lambda x: (x @ x.T, x.sum(0)), torch.randn(2, 3), dynamic={"x": {0: BATCH}})
    assert [spec.shape for spec in signature.outputs] == [("batch", "batch"), (3,)]


def test_sizes_that_are_equal_by_accident_do_not_mislead() -> None:
    signature = infer(lambda x: x.new_zeros(2, 3), torch.randn(2, 3), dynamic={"x": {0: BATCH}})
    assert signature.outputs[0].shape == (2, 3)


def test_two_dims_are_told_apart() -> None:
    dims = {"x": {0: BATCH, 1: kit.Dim("length", 1, 64)}}
    signature = infer(lambda x: x.transpose(0, 1), torch.randn(4, 4), dynamic=dims)
    assert signature.outputs[0].shape == ("length", "batch")


def test_a_dimension_that_is_no_dim_is_refused_with_the_sizes_seen() -> None:
    with pytest.raises(
        TraceError, match=r"dimension 0 varies but is the size of no dim: \[4, 3\] for batch = 2"
    ):
        infer(lambda x: torch.cat([x, x]), torch.randn(2, 3), dynamic={"x": {0: BATCH}})


def picky(x: Tensor, y: Tensor) -> Tensor:
    if not torch.equal(y, x + 1):
        raise ValueError("y must be x + 1")
    return x * y


def test_cases_of_the_recipe_are_tried_instead_of_random_values() -> None:
    cases = [(torch.full((size,), 1.0), torch.full((size,), 2.0)) for size in (2, 5)]
    dynamic = {"x": {0: BATCH}, "y": {0: BATCH}}
    assert infer(picky, cases[0], dynamic=dynamic, cases=cases).outputs[0].shape == ("batch",)


def test_without_cases_the_message_asks_for_them() -> None:
    dynamic = {"x": {0: BATCH}, "y": {0: BATCH}}
    with pytest.raises(TraceError, match="give `cases` if no random values can do"):
        infer(picky, (torch.ones(2), torch.full((2,), 2.0)), dynamic=dynamic)


def test_cases_of_one_size_are_not_enough() -> None:
    signature = infer(
        lambda x: x.new_zeros(2), torch.randn(2), dynamic={"x": {0: BATCH}}, cases=[(torch.randn(2),)]
    )
    assert signature.outputs[0].shape == (2,)


def test_a_case_that_does_not_fit_is_named() -> None:
    with pytest.raises(InputError, match="case 1 of the recipe: input 'x'"):
        infer(
            lambda x: x,
            torch.randn(2, 3),
            dynamic={"x": {0: BATCH}},
            cases=[torch.randn(2, 3), torch.randn(2, 4)],
        )


def tried(sizes: list[int]) -> list[int]:
    """The sizes at which a model with cases of these sizes, the first its example, is looked at."""
    cases = [torch.randn(size, 3) for size in sizes]
    recipe = kit.Recipe(lambda x: x + 1, cases[0], dynamic={"x": {0: BATCH}}, cases=cases)
    eager = Eager(recipe, None)
    return [probe.sizes["batch"] for probe in probes(declared_inputs(eager, recipe), eager, recipe)]


def test_the_example_is_not_looked_at_twice() -> None:
    assert tried([4, 3, 5]) == [3, 5]


def test_no_more_cases_are_looked_at_than_tell_something() -> None:
    assert tried([4, 3, 5, 6, 7]) == [3, 5]
    assert tried([4, 3, 3, 6, 7]) == [3, 3, 6]


def test_what_is_known_is_not_run_again() -> None:
    recipe = kit.Recipe(lambda x: (x + 1, x.sum(0)), torch.zeros(4, 3), dynamic={"x": {0: BATCH}})
    eager = Eager(recipe, None)
    known = [Probe({"batch": 5}, [torch.zeros(5, 3)], [torch.ones(5, 3), torch.zeros(3)])]
    eager.function = lambda x: pytest.fail("it ran")
    signature = infer_signature(eager, recipe, [torch.ones(4, 3), torch.zeros(3)], known)
    assert [spec.shape for spec in signature.outputs] == [("batch", 3), (3,)]


def test_another_run_that_gave_something_else_is_asked_of_the_model() -> None:
    recipe = kit.Recipe(lambda x: x + 1, torch.zeros(4, 3))
    eager = Eager(recipe, None)
    assert infer_signature(eager, recipe, [torch.zeros(4, 3)]).outputs[0].shape == (4, 3)
    eager.function = lambda x: x + 2
    with pytest.raises(TraceError, match="not-repeatable"):
        infer_signature(eager, recipe, [torch.zeros(4, 3)])
