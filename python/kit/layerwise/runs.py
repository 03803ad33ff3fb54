"""Calling one program again and again: a first run is profiled, later ones are optimised and may be fused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from kit.errors import InputError, ParityError
from kit.layerwise.pairs import Compare, size, worst
from kit.layerwise.report import Run
from kit.report import Difference

RUNS = (1, 2, 3, 10)
Program = Callable[[Sequence[Tensor]], list[Tensor]]


def compare_runs(
    ways: dict[str, Program],
    names: Sequence[str],
    cases: Sequence[Sequence[Tensor]],
    expected: Sequence[Sequence[Tensor]],
    compare: Compare,
    seed: int | None,
) -> tuple[Run, ...]:
    """Run all cases in each way, ten times over, and compare the 1st, 2nd, 3rd and 10th time.

    names: of the outputs. expected: what eager gave for each case.

    The program of a way is loaded once and gets all cases in turn. So it is optimised for the sizes of the
    first case, and must do the same for the others, which is where a program that was specialised too far
    goes wrong; each of the others is profiled and optimised too, as it comes again. A fresh program for
    each case would cost as many runs, and a load for each, and never meet sizes that it was not made for.
    """
    rows = []
    for way, program in ways.items():
        first: list[list[Tensor]] = []
        for run in range(1, max(RUNS) + 1):
            outputs = [run_case(program, case, inputs, seed) for case, inputs in enumerate(cases)]
            first = first or [[tensor.clone() for tensor in tensors] for tensors in outputs]
            if run in RUNS:
                from_eager, where = _largest(outputs, expected, names, compare)
                from_first, where_first = _largest(outputs, first, names, compare)
                if size(from_first) > size(from_eager):
                    where = where_first
                rows.append(Run(way, run, from_eager, from_first, where))
    return tuple(rows)


def run_case(program: Program, case: int, inputs: Sequence[Tensor], seed: int | None) -> list[Tensor]:
    """The program's outputs. Raises ParityError if it fails."""
    with failing_as_parity(case):
        if seed is not None:
            torch.manual_seed(seed)
        return program(inputs)


@contextmanager
def failing_as_parity(case: int) -> Iterator[None]:
    """Raise ParityError where the program raises, as eager did not."""
    try:
        yield
    except (RuntimeError, InputError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise ParityError(
            f"case {case}: the program fails where the eager model does not: {lines[-1]}; export the model "
            "again, or give the recipe of this archive"
        ) from error


def _largest(
    outputs: Sequence[Sequence[Tensor]],
    expected: Sequence[Sequence[Tensor]],
    names: Sequence[str],
    compare: Compare,
) -> tuple[Difference, str]:
    """The largest difference of a run, and where it is, "" where all has the same bits."""
    found = [
        (compare(actual, wanted), f"case {case}, output '{name}'")
        for case, wanted_of in enumerate(expected)
        for name, actual, wanted in zip(names, outputs[case], wanted_of, strict=True)
    ]
    difference, where = max(found, key=lambda one: size(one[0]))
    return worst([one for one, _ in found]), "" if difference.bit_equal else where
