"""Inputs for every branch: what was compiled because it branches must be compared on both sides."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product

from torch import Tensor

from kit.errors import TraceError
from kit.guard import Guarded
from kit.guards.recorder import Event
from kit.programs.recording import record
from kit.shapes import example_sizes, given_inputs
from kit.sizes import budget_of, case_sizes
from kit.source import Place
from kit.values import VARIANTS, random_like, variant

_SIZES = 5
_SCALES = (1.0, -1.0, 0.01, -0.01, 100.0, -100.0)
_MOST_TRIES = 80

Arm = tuple[Place | None, bool]


def cover_branches(model: Guarded) -> tuple[list[list[Tensor]], list[str]]:
    """Inputs that take the branches which the example does not, and a sentence for each that none was found
    for."""
    if not model.branches.scripted:
        return [], []
    found: list[list[Tensor]] = []
    covered: set[Arm] = set()
    for index, tensors in enumerate(_tries(model)):
        if index >= _MOST_TRIES or (index and not _missing(covered)):
            break
        try:
            events = record(model.eager, tensors, "a search for branches").events
        except TraceError:  # the model does not take such inputs, so they say nothing of its branches
            continue
        arms = {(one.place, bool(one.outcome)) for one in events if _of_interest(one, model)}
        if not arms <= covered:
            covered |= arms
            if index:
                found.append(tensors)
    notes = [
        f"{place}: `{place.code}`: no inputs were found for which this is {outcome}, so this branch is not "
        "verified: give inputs for it in `cases`"
        for place, outcome in _missing(covered)
        if place is not None
    ]
    return found, notes


def _missing(covered: set[Arm]) -> list[Arm]:
    return [(place, not outcome) for place, outcome in covered if (place, not outcome) not in covered]


def _of_interest(event: Event, model: Guarded) -> bool:
    return event.word == "bool" and model.branches.compiled(event)


def _tries(model: Guarded) -> Iterator[list[Tensor]]:
    """The example, the recipe's own cases, then random and extreme values at several sizes."""
    examples = list(model.eager.inputs.values())
    yield examples
    given = given_inputs(model.signature, model.recipe)
    yield from given
    if given:
        return
    budget = budget_of(model.eager, model.signature)
    sizes = [budget.known]
    if model.signature.dims:
        sizes += case_sizes(model.signature, _SIZES, budget)
    seed = model.recipe.seed
    for scale, (number, at) in product(_SCALES, enumerate(sizes)):
        tensors = random_like(model.signature.inputs, examples, at, seed + number)
        yield variant(tensors, partial(_scaled, scale=scale))
    for change in VARIANTS.values():
        yield variant(examples, change)
    for number in range(_MOST_TRIES):
        tensors = random_like(model.signature.inputs, examples, _known(model), seed + 1000 + number)
        yield variant(tensors, _centred) if number % 2 else tensors


def _scaled(tensor: Tensor, scale: float) -> Tensor:
    """All of one sign, unless the scale is 1: conditions on sums and means then go one way."""
    return tensor if scale == 1 else tensor.abs() * scale


def _centred(tensor: Tensor) -> Tensor:
    """As many of one sign as of the other, whatever the example has."""
    return tensor - tensor.mean()


def _known(model: Guarded) -> dict[str, int]:
    return example_sizes(model.signature.inputs, dict(model.eager.inputs))
