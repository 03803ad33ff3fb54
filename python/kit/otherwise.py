"""What a model does otherwise on the very example: while it is traced, as sizes and numbers are tensors then,
when the tensors that it tells in a text are others, and in its first call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor

from kit.compare import tolerances_for
from kit.eager import Eager
from kit.errors import TraceError
from kit.guards.check import check
from kit.guards.difference import baked_value
from kit.guards.evidence import Evidence, Trace
from kit.guards.finding import Finding
from kit.guards.state import kept_from_first_call
from kit.programs.recording import record
from kit.recipe import Recipe
from kit.replay import difference
from kit.signature import dtype_name
from kit.source import Place, followed, is_ground, place_of
from kit.state import attributes_kept

Step = tuple[CodeType, int, int]


def traced_otherwise(eager: Eager, trace: Trace, recipe: Recipe) -> list[Finding]:
    """The finding that the model gave another output when it was traced, unless it does so in every call."""
    if trace.outputs is None or eager.seed is not None:
        return []
    name = _other_output(eager, trace.outputs, eager.example_outputs, recipe)
    if name is None:
        return []
    example = list(eager.inputs.values())
    with attributes_kept(eager.module):
        again = eager.run(example, "the example")
    if _other_output(eager, again, eager.example_outputs, recipe) is not None:
        return []
    with attributes_kept(eager.module):
        steps = _steps(eager, lambda: eager.run(example, "the example"))
    place = _parting(steps, _steps(eager, lambda: record(eager)))
    return [
        Finding(
            "fails",
            f"the output '{name}' is another while the model is traced than else, on the same example",
            "sizes and numbers are tensors then: do not ask for their type, use none as a key, and let "
            "nothing depend on whether the model is traced",
            place,
        )
    ]


_TOLD: Sequence[Callable[[Tensor], Tensor]] = (
    torch.zeros_like,
    lambda tensor: torch.ones_like(tensor).neg() if tensor.dtype is not torch.bool else ~tensor,
    lambda tensor: torch.full_like(tensor, _largest(tensor.dtype)),
    lambda tensor: torch.full_like(tensor, torch.nan if tensor.dtype.is_floating_point else 1),
)
"""What is told in place of a tensor, to see whether its text decides anything."""


def _largest(dtype: torch.dtype) -> float:
    if dtype.is_floating_point or dtype.is_complex:
        return torch.finfo(dtype).max
    return torch.iinfo(dtype).max if dtype is not torch.bool else 1


def told_otherwise(eager: Eager, trace: Trace, recipe: Recipe) -> list[Finding]:
    """The finding that the model records something else when a text of tensors is another."""
    for told_as in _TOLD if trace.texts else ():
        try:
            other = record(eager, None, "another text of a tensor", trace.sizes, trace, told_as)
        except TraceError:  # a text that the model does not take
            continue
        evidence = Evidence([trace, other], list(eager.inputs), eager.outputs)
        found = check((baked_value,), evidence, recipe.allow)
        if found:
            return found
    return []


def first_otherwise(eager: Eager, tries: Iterable[Sequence[Tensor]], recipe: Recipe) -> list[Finding]:
    """The finding that the model gives another output for some of these inputs if they are those of its first
    call than it gives now, so that what it keeps of the example decides."""
    for tensors in tries if eager.keeps else ():
        try:
            first = eager.run_first(tensors, "other values")
            with attributes_kept(eager.module):
                later = eager.run(tensors, "other values")
        except TraceError:  # values that the model does not take
            continue
        name = _other_output(eager, first, later, recipe)
        if name is not None:
            return [kept_from_first_call(name, eager.place_of_keeping())]
    return []


def _other_output(
    eager: Eager, outputs: Sequence[Tensor], others: Sequence[Tensor], recipe: Recipe
) -> str | None:
    """The first output that is not as among the others, within the tolerance that an archive must keep."""
    for name, actual, expected in zip(eager.outputs, outputs, others, strict=True):
        dtype = dtype_name(expected.dtype)
        tolerance = tolerances_for([dtype], recipe.tolerances)[dtype]
        if actual.dtype != expected.dtype or not difference(actual, expected, tolerance).within:
            return name
    return None


def _steps(eager: Eager, call: Callable[[], object]) -> list[Step]:
    """The instructions of code outside of torch and kit that the model goes through in a call, with their
    lines."""
    steps: list[Step] = []
    function = eager.function

    def watch(frame: FrameType, event: str, argument: Any) -> Any:
        if is_ground(frame.f_code.co_filename):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            steps.append((frame.f_code, frame.f_lasti, frame.f_lineno))
        return watch

    def watched(*args: Any, **kwargs: Any) -> Any:
        with followed(watch):
            return function(*args, **kwargs)

    eager.function = watched
    try:
        call()
    finally:
        eager.function = function
    return steps


def _parting(one: Sequence[Step], other: Sequence[Step]) -> Place | None:
    """Where two calls of the model part."""
    last = None
    for step, another in zip(one, other, strict=False):
        if step[:2] != another[:2]:
            return place_of([(last[0].co_filename, last[2])]) if last is not None else None
        last = step
    return None
