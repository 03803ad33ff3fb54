"""The pointwise chain: fused against unfused, and both against a copy that moves as many bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

import kit
from tests.bench.gpu.contest import Contestant, Timer, measure
from tests.bench.gpu.kernels import way
from tests.bench.gpu.models import Chain, matrices
from tests.bench.gpu.results import Method, Pointwise
from tests.bench.gpu.samples import ratios
from tests.bench.gpu.words import words

WARM_UP = 10  # calls; two compile, and the clocks of a GPU rise under load


@dataclass
class Work:
    """The same chain in all ways, on inputs of one size."""

    inputs: tuple[Tensor, Tensor, Tensor]
    fused: Contestant
    unfused: Contestant
    eager: Contestant
    copy: Contestant

    @property
    def contestants(self) -> list[Contestant]:
        return [self.copy, self.fused, self.unfused, self.eager]


def prepare(archive: Path, size: tuple[int, int], device: torch.device) -> Work:
    """Raises ParityError if the ways do not compute the same."""
    x, m1, m2 = inputs = matrices(*size, device)
    eager = Chain().eval()

    def with_kit(name: str, fusion: bool) -> Contestant:
        model = kit.load(archive, device=str(device), configuration=kit.Configuration(fusion=fusion))
        return Contestant(name, lambda: model(x, m1, m2), words(model.configuration))

    fused, unfused = with_kit("kit, fused", True), with_kit("kit, unfused", False)
    with torch.no_grad():
        expected = eager(x, m1, m2)
    for one in (fused, unfused):
        for run in range(3):  # the first is not compiled yet, and the second compiles
            _check_same(one, run, expected)

    def run_eager() -> Tensor:
        with torch.no_grad():
            return eager(x, m1, m2)

    # Twice the size: it reads two matrices and writes two, the four that the fused chain moves.
    source = torch.cat([x, m1])
    target = torch.empty_like(source)
    return Work(
        inputs,
        fused,
        unfused,
        Contestant("eager in Python", run_eager, "torch's defaults"),
        Contestant("copy", lambda: target.copy_(source), "Tensor.copy_, two matrices into two"),
    )


def run(archive: Path, size: tuple[int, int], device: torch.device, timer: Timer, how: Method) -> Pointwise:
    """Measures one size, rows and columns. archive: the exported chain."""
    work = prepare(archive, size, device)
    measure(work.contestants, timer, how.rounds, how.calls, WARM_UP if device.type == "cuda" else 1)
    x = work.inputs[0]
    return Pointwise(
        *size,
        str(x.dtype).removeprefix("torch."),
        x.numel() * x.element_size(),
        copy=way(work.copy, device),
        fused=way(work.fused, device),
        unfused=way(work.unfused, device),
        eager=way(work.eager, device),
        # Both move the same bytes, so the ratio of their speeds is that of their times.
        share=ratios(work.copy.seconds, work.fused.seconds),
        speedup=ratios(work.unfused.seconds, work.fused.seconds),
    )


def _check_same(one: Contestant, run: int, expected: Tensor) -> None:
    actual = one.call()
    assert isinstance(actual, Tensor)
    try:
        torch.testing.assert_close(actual, expected)
    except AssertionError as error:
        reason = str(error).replace("\n", " ")
        raise kit.ParityError(
            f"{one.name}, run {run + 1}, does not compute what eager does: {reason}"
        ) from None
