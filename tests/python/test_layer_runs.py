"""Comparing run after run, and tensors of which it is not known which belong together."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from kit.compare import Tolerance
from kit.errors import ParityError
from kit.layerwise.pairs import compare_nearest, worst
from kit.layerwise.report import LayersReport
from kit.layerwise.runs import compare_runs
from kit.replay import difference
from kit.report import Difference

CASES = [[torch.ones(2)], [torch.ones(3)]]
EXPECTED = [[torch.ones(2) * 2], [torch.ones(3) * 2]]


def compare(actual: Tensor, expected: Tensor) -> Difference:
    return difference(actual, expected, Tolerance(0.0, 0.01))


class Drifting:
    """A program that is off by `by` from the call `start` on."""

    def __init__(self, start: int, by: float) -> None:
        self.calls = 0
        self.start = start
        self.by = by

    def __call__(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        self.calls += 1
        return [inputs[0] * 2 + (self.by if self.calls >= self.start else 0.0)]


def report(program: Drifting) -> LayersReport:
    runs = compare_runs({"way": program}, ["y"], CASES, EXPECTED, compare, None)
    return LayersReport("model.pt", 2, (), (), runs, {})


def test_a_program_that_does_the_same_each_time() -> None:
    program = Drifting(100, 1.0)
    one = report(program)
    assert program.calls == 20
    assert one.passed
    assert [(run.run, run.from_eager.bit_equal, run.from_first.bit_equal) for run in one.runs] == [
        (number, True, True) for number in (1, 2, 3, 10)
    ]


@pytest.mark.parametrize(("start", "run", "case"), [(4, 2, 1), (5, 3, 0), (20, 10, 1)])
def test_a_program_that_differs_later(start: int, run: int, case: int) -> None:
    one = report(Drifting(start, 0.5))
    assert not one.passed
    first = next(row for row in one.runs if not row.from_eager.within)
    assert (first.run, first.where, first.from_eager.max_abs) == (run, f"case {case}, output 'y'", 0.5)
    assert not first.from_first.within
    assert one.summary.startswith(f"way: run {run} differs from eager at case {case}, output 'y': ")
    with pytest.raises(ParityError, match=rf"model\.pt: way: run {run} differs"):
        one.raise_for_failure()


def test_a_small_drift_is_within() -> None:
    one = report(Drifting(3, 0.005))
    assert one.passed
    assert not one.runs[1].from_first.bit_equal
    assert one.runs[1].from_first.max_abs == pytest.approx(0.005, abs=1e-6)
    assert one.summary == "agrees: 0 calls of submodules, the outputs and all runs are within the tolerance"


def test_a_program_that_fails() -> None:
    def fails(inputs: Sequence[Tensor]) -> list[Tensor]:
        return [inputs[0] @ torch.ones(2, 2)]

    with pytest.raises(ParityError, match="case 1: the program fails where the eager model does not: "):
        compare_runs({"way": fails}, ["y"], CASES, EXPECTED, compare, None)


def test_random_programs_are_seeded() -> None:
    torch.manual_seed(7)
    expected = [torch.rand(2)]
    runs = compare_runs(
        {"way": lambda inputs: [torch.rand(2)]}, ["y"], CASES[:1], [expected], compare, seed=7
    )
    assert all(run.from_eager.bit_equal for run in runs)


def test_tensors_go_with_the_nearest() -> None:
    a, b, c = torch.zeros(2), torch.ones(2), torch.ones(3)
    found = compare_nearest([c, b], [a, b, c], compare)
    assert [one.bit_equal for one in found] == [True, True]
    found = compare_nearest([b + 0.25, a], [a, b], compare)
    assert worst(found).max_abs == 0.25
    assert compare_nearest([c, c], [a, b], compare) == []
    assert compare_nearest([a, a], [a], compare)[0].bit_equal
    (one,) = compare_nearest([c], [a], compare)
    assert one.reason == "wanted float32[2], got float32[3]"
