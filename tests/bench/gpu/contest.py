"""Measuring several ways to do the same work, in rounds in which they take turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch import Tensor

import kit

Call = Callable[[], object]
Timer = Callable[[Call, int], float]  # seconds for a call, as the mean of that many


@dataclass
class Contestant:
    """One way to do the work. seconds: for a call, one value for each round."""

    name: str
    call: Call
    configuration: str
    seconds: list[float] = field(default_factory=list)


def check_same(what: str, actual: Tensor, expected: Tensor, most: float) -> None:
    """Raises ParityError that begins with `what` if they differ by more than that: it is no contest then."""
    difference = float((actual - expected).abs().max())
    if not difference <= most:  # a NaN is no small difference either
        raise kit.ParityError(f"{what}: up to {difference:g}")


def measure(contestants: Sequence[Contestant], timer: Timer, rounds: int, calls: int, warm_up: int) -> None:
    """Fills in `seconds`, after as many calls of each as warm it up. Each comes first equally often, so that
    none gains by its place."""
    for one in contestants:
        for _ in range(warm_up):
            one.call()
    for start in range(rounds):
        for place in range(len(contestants)):
            one = contestants[(start + place) % len(contestants)]
            one.seconds.append(timer(one.call, calls))
