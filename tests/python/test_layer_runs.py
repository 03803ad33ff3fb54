"""Comparing run after run, and tensors of which it is not known which belong together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import kit
from kit.compare import Tolerance
from kit.errors import ParityError
from kit.layerwise.pairs import compare_nearest, worst
from kit.layerwise.report import LayersReport
from kit.layerwise.runs import compare_runs
from kit.layerwise.search import layers
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


class Chain(nn.Module):
    """Pointwise operations, which a fuser makes one kernel of."""

    def __init__(self) -> None:
        super().__init__()
        self.first = Wave()
        self.second = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x) * 1.5 - 0.25)


class Wave(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x * 2) + x.sigmoid()


@pytest.fixture
def fuser_on_cpu() -> Iterator[None]:
    """Fuse on the CPU, where torch does not by default, through the interpreter of fused kernels."""
    can, must, enabled = (
        torch._C._jit_can_fuse_on_cpu(),
        torch._C._jit_get_te_must_use_llvm_cpu(),  # type: ignore[attr-defined]
        torch._C._jit_texpr_fuser_enabled(),
    )
    torch._C._jit_override_can_fuse_on_cpu(True)
    torch._C._jit_set_te_must_use_llvm_cpu(False)
    torch._C._jit_set_texpr_fuser_enabled(True)
    yield
    torch._C._jit_override_can_fuse_on_cpu(can)
    torch._C._jit_set_te_must_use_llvm_cpu(must)
    torch._C._jit_set_texpr_fuser_enabled(enabled)


def test_a_program_that_differs_once_it_is_fused(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    x = torch.randn(64, 8, generator=torch.Generator().manual_seed(0))
    exact = kit.Recipe(Chain(), x, cases=1, tolerances={"float32": (0, 0)})
    kit.export(exact, path=tmp_path / "model.pt")
    request.getfixturevalue("fuser_on_cpu")
    report = layers(exact, tmp_path / "model.pt")
    assert report.first is not None
    assert (report.first.title, report.first.run > 1, report.inputs) == ("first", True, "agree")
    equal = {run.run: (run.from_eager.bit_equal, run.from_first.bit_equal) for run in report.runs[:4]}
    assert equal == {1: (True, True), 2: (False, False), 3: (False, False), 10: (False, False)}
    assert re.search(r"first \(Wave\), [\d.]+e-0\d absolute in case 0, run [23], given the", report.summary)
