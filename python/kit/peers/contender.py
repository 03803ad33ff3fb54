"""What takes part in a comparison: ways to run one model at one size, each in one or more settings."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

Clock = Callable[[], float]


@dataclass(frozen=True)
class Call:
    """A way that is set up for inputs which are already there.

    run: the outputs for them, in the signature's order.
    time: `time(groups, calls)` gives for each of so many groups of so many calls in a row the seconds for a
        call, their mean.
    """

    run: Callable[[], list[Tensor]]
    time: Callable[[int, int], list[float]]


@dataclass(frozen=True)
class Way:
    """One row of the comparison.

    name: what it is called in tables: "ONNX Runtime (C API)".
    settings: by name, what sets it up so; the fastest that works is measured. Setting up may raise.
    kit: whether it is kit's own. Then it must be there, and must agree.
    reference: one of kit's that shows what a part of it costs, and is not its best: from Python, say.
    """

    name: str
    settings: Mapping[str, Callable[[], Call]]
    kit: bool = False
    reference: bool = False


@dataclass(frozen=True)
class Absent:
    """A way that was not measured, and why not."""

    name: str
    reason: str


@dataclass
class Contender:
    """A way in the setting that was taken.

    difference: how far its outputs are from eager's, in words.
    refused: settings that could not be measured, each with the reason.
    seconds: for a call, one value for each round.
    """

    name: str
    kit: bool
    setting: str
    call: Call
    difference: str
    reference: bool = False
    refused: tuple[str, ...] = ()
    seconds: list[float] = field(default_factory=list)


def timed(call: Callable[[], object], clock: Clock = time.perf_counter) -> Callable[[int, int], list[float]]:
    """What times a Python callable as `Call.time` says. Nothing but the loop is between the calls."""

    def groups_of(groups: int, calls: int) -> list[float]:
        means = []
        before = clock()
        for _ in range(groups):
            for _ in range(calls):
                call()
            now = clock()
            means.append((now - before) / calls)
            before = now
        return means

    return groups_of
