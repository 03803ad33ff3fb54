"""Statistics of repeated measurements: a median with its spread, and ratios formed round by round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """A median, and the tenth and ninetieth percentile."""

    p10: float
    median: float
    p90: float

    def scaled(self, factor: float) -> Spread:
        """In another unit. A negative factor would turn the order around, so it must be positive."""
        return Spread(self.p10 * factor, self.median * factor, self.p90 * factor)


def spread(values: Sequence[float]) -> Spread:
    """Of one or more values, by linear interpolation between them."""
    ordered = sorted(values)
    return Spread(*(_quantile(ordered, share) for share in (0.1, 0.5, 0.9)))


def ratios(above: Sequence[float], below: Sequence[float]) -> Spread:
    """Of values measured in the same rounds: what disturbed the machine in one round disturbed both."""
    return spread([one / other for one, other in zip(above, below, strict=True)])


def _quantile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
