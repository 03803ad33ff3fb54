"""Contenders that take as long as a test says, and a document as a comparison gives it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from kit.peers.contender import Call, Contender


class FakeTime:
    """Time that passes only in calls."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.turns: list[str] = []

    def __call__(self) -> float:
        return self.now

    def call(self, name: str, seconds: Callable[[], float]) -> Call:
        """A call that takes that long; `turns` has a name for each series that was timed."""

        def time(groups: int, calls: int) -> list[float]:
            self.turns.append(name)
            means = []
            for _ in range(groups):
                spent = sum(seconds() for _ in range(calls))
                self.now += spent
                means.append(spent / calls)
            return means

        return Call(list[Tensor], time)

    def contender(self, name: str, seconds: Callable[[], float], kit: bool = False) -> Contender:
        return Contender(name, kit, "plain", self.call(name, seconds), "bit-equal")


def document(batches: tuple[int, ...] = (1, 64)) -> dict[str, Any]:
    """Kit's two ways take 1 and 3 µs a row, those of the peer 2 and 4; one peer is absent."""

    def spread(value: float) -> dict[str, float]:
        return {"median": value, "low": value * 0.9, "high": value * 1.1}

    names = {"kit native (C++)": 1, "kit native (Python)": 3, "Peer & Co (C API)": 2, "Peer & Co (Python)": 4}
    sizes = []
    for batch in batches:
        ways = [
            {
                "name": name,
                "kit": name.startswith("kit"),
                "reference": name == "kit native (Python)",
                "setting": "plain",
                "microseconds": spread(float(factor * batch)),
                "difference": "1e-07",
                "refused": ["fast: it cannot"] if factor == 4 else [],
            }
            for name, factor in names.items()
        ]
        ratios = [
            {"kit": kit, "over": over, **spread(names[kit] / names[over])}
            for kit in names
            for over in names
            if kit.startswith("kit") and kit != over
        ]
        sizes.append(
            {
                "sizes": {"batch": batch},
                "rounds": 10,
                "seconds": 1.0,
                "stable": batch == 1,
                "ways": ways,
                "ratios": ratios,
                "absent": [{"name": "Gone (Python)", "reason": "gone is not installed"}],
            }
        )
    return {
        "format": "kit-peers",
        "version": 1,
        "archive": "model.pt",
        "model": {"name": "mlp", "method": "forward"},
        "host": {
            "cpu": "Some CPU",
            "isa": "AVX2",
            "cores": 2,
            "load": 0.5,
            "date": "2026-01-02T03:04:05+00:00",
        },
        "versions": {"kit": "0.1.0", "torch": "2.13.0"},
        "threads": 1,
        "seconds": 1.0,
        "sizes": sizes,
        "starts": {
            "sizes": {"batch": 1},
            "runs": 7,
            "ways": [
                {"name": "predictor run", "kit": True, "milliseconds": spread(5.0)},
                {"name": "Peer & Co (Python)", "kit": False, "milliseconds": spread(100.0)},
            ],
            "ratios": [{"kit": "predictor run", "over": "Peer & Co (Python)", **spread(0.05)}],
            "absent": [],
        },
    }
