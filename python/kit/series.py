"""Calls that are timed until their median is stable, as `predictor bench` does it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

WITHIN = 0.02
LEAST_BLOCKS = 10
BLOCK_SECONDS = 0.02

Clock = Callable[[], float]


@dataclass(frozen=True)
class Interval:
    """The median of values, and where that of all further ones lies with at least 95 % confidence. For fewer
    than six values no such bounds exist: they are then the smallest and the largest."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(values: Sequence[float]) -> Interval:
        """The interval of at least one value."""
        ordered = sorted(values)
        outside = _outside(len(ordered))
        return Interval(quantile(ordered, 0.5), ordered[outside], ordered[-1 - outside])

    def within(self, part: float) -> bool:
        """Whether both bounds are within that part of the median."""
        return self.low >= self.median * (1 - part) and self.high <= self.median * (1 + part)


@dataclass(frozen=True)
class Latency:
    """How long calls took, in seconds. `seconds` is what the measurement took."""

    median: Interval
    p90: float
    p99: float
    min: float
    max: float
    calls: int
    stable: bool
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """As `predictor bench --json` has it: in microseconds."""
        known = {"median": self.median.median, "low": self.median.low, "high": self.median.high}
        known |= {"p50": self.median.median, "p90": self.p90, "p99": self.p99}
        known |= {"min": self.min, "max": self.max}
        return {
            "microseconds": {name: value * 1e6 for name, value in known.items()},
            "calls": self.calls,
            "stable": self.stable,
            "seconds": self.seconds,
        }


def quantile(ordered: Sequence[float], part: float) -> float:
    """The value below which that part of at least one value lies, between two of them by their distance."""
    position = part * (len(ordered) - 1)
    below = min(int(position), len(ordered) - 1)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


def measure_latency(call: Callable[[], object], seconds: float, clock: Clock = time.perf_counter) -> Latency:
    """Call until the median is stable within 2 % or the time is up; once at least.

    What disturbs one call often disturbs those after it, so the median's bounds come from the medians of
    blocks of 20 ms.
    """
    values: list[float] = []
    blocks: list[float] = []
    start = now = clock()
    stable = False
    while not values or not (stable or now - start >= seconds):
        block: list[float] = []
        began = now
        while not block or now - began < BLOCK_SECONDS:
            before = clock()
            call()
            now = clock()
            block.append(now - before)
        values += block
        blocks.append(quantile(sorted(block), 0.5))
        stable = len(blocks) >= LEAST_BLOCKS and Interval.of(blocks).within(WITHIN)
    values.sort()
    median, bounds = quantile(values, 0.5), Interval.of(blocks)
    return Latency(
        Interval(median, min(median, bounds.low), max(median, bounds.high)),
        quantile(values, 0.9),
        quantile(values, 0.99),
        values[0],
        values[-1],
        len(values),
        stable,
        now - start,
    )


def _outside(count: int) -> int:
    """How many values are left out below the bound: the most for which the median of what they were drawn
    from is outside of the bounds in at most 5 % of all cases."""
    if count >= 60:
        return int((count - 1.96 * math.sqrt(count)) / 2 - 1)
    left_out, total = 0, 1
    while True:
        total += math.comb(count, left_out + 1)
        if 2 * total > 0.05 * 2**count:
            return left_out
        left_out += 1
