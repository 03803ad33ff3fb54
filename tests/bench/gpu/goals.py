"""What the fusion of pointwise chains is to reach on a GPU, and whether it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.gpu.results import Pointwise
from tests.bench.gpu.samples import Spread

LEAST_SHARE = 0.9
LEAST_SPEEDUP = 1.8


@dataclass(frozen=True)
class Goal:
    """A number that is to be reached. It is met if the median of what was measured reaches it."""

    what: str
    least: float
    measured: Spread

    @property
    def met(self) -> bool:
        return self.measured.median >= self.least


def goals_of(results: Sequence[Pointwise]) -> list[Goal]:
    """Two for each size."""
    found = []
    for one in results:
        size = f"{one.rows}×{one.columns}"
        found.append(Goal(f"{size}: fused, share of the copy bandwidth", LEAST_SHARE, one.share))
        found.append(Goal(f"{size}: unfused time over fused time", LEAST_SPEEDUP, one.speedup))
    return found
