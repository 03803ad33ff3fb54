"""What kit is to reach beside its peers, and whether it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kit.peers.report import best_of_kit, ratio_of
from kit.series import Interval

Document = dict[str, Any]


@dataclass(frozen=True)
class Goal:
    """A number that is to be reached.

    most: whether `limit` is the most that it may be, or the least. measured: None if it was not measured, and
    `why` then says why not.
    """

    what: str
    limit: float
    measured: Interval | None
    most: bool = True
    why: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the median reaches it; None if there is none."""
        if self.measured is None:
            return None
        return self.measured.median <= self.limit if self.most else self.measured.median >= self.limit

    @property
    def verdict(self) -> str:
        """ "met", or by how much it was missed."""
        if self.measured is None:
            return f"not measured: {self.why}"
        if self.met:
            return "met"
        beyond = self.measured.median / self.limit if self.most else self.limit / self.measured.median
        return f"MISSED by {100 * (beyond - 1):.0f} %"


def goals_of(results: Document) -> list[Goal]:
    """All goals, in the order of the page. results: what bench_works writes."""
    works = results["works"]
    goals = []
    if (size := _size(works, "mlp", 1)) is not None:
        goals += _of_one_row(size)
    for batch in (64, 1024, 65_536):
        goals.append(_of_fastest(works, "mlp", batch, f"MLP, batch {batch:,}: kit over the fastest peer"))
    goals.append(_over(works, "chain", "ONNX Runtime", 0.6, "relu(x·m1+m2), 512×512: kit over ONNX Runtime"))
    goals.append(_over(works, "chain", "OpenVINO", 0.8, "relu(x·m1+m2), 512×512: kit over OpenVINO"))
    goals.append(_of_fastest(works, "encoder", None, "transformer encoder: kit over the fastest peer"))
    goals.append(_of_fastest(works, "resnet18", None, "ResNet-18, 224×224: kit over the fastest peer"))
    if "mlp" in works:
        start, in_c = "MLP, start to first prediction", results.get("c_start")
        goals.append(_start(f"{start}: predictor over ONNX Runtime in Python", works["mlp"].get("starts")))
        goals.append(_start(f"{start}: predictor over ONNX Runtime in C", in_c))
        goals.append(_start(f"{start}: the extracted program in C over ONNX Runtime in C", in_c, 1))
    goals += _csv(results.get("csv", []))
    goals.append(_threads(works))
    return goals


def fastest_peer(size: Document, starting: str = "") -> Document | None:
    """Of those whose names start so; None if there are none."""
    peers = [way for way in size["ways"] if not way["kit"] and way["name"].startswith(starting)]
    return min(peers, key=lambda way: way["microseconds"]["median"]) if peers else None


def _size(works: Document, work: str, batch: int | None) -> Document | None:
    for size in works.get(work, {}).get("sizes", []):
        if batch is None or size["sizes"].get("batch") == batch:
            found: Document = size
            return found
    return None


def _of_one_row(size: Document) -> list[Goal]:
    best = best_of_kit(size)["name"]
    program = best.removesuffix(" (C++)")
    names = {way["name"] for way in size["ways"]}
    c_api, python = "ONNX Runtime (C API)", "ONNX Runtime (Python)"
    first = (
        Goal("MLP, batch 1: kit in C++ over ONNX Runtime's C API", 0.35, _ratio(size, best, c_api))
        if c_api in names
        else _goal("MLP, batch 1: kit in C++ over ONNX Runtime's Python API", 0.25, size, best, python)
    )
    return [
        first,
        _goal(
            "MLP, batch 1: kit::Model::predict over the program's own C interface",
            1.10,
            size,
            best,
            f"{program} (C interface)",
        ),
        _goal(
            "MLP, batch 1: kit in Python over ONNX Runtime's Python API",
            0.4,
            size,
            f"{program} (Python)",
            python,
        ),
    ]


def _goal(what: str, limit: float, size: Document, kit: str, over: str) -> Goal:
    return Goal(what, limit, _ratio(size, kit, over), why=f"{over} was not there")


def _ratio(size: Document, kit: str, over: str) -> Interval | None:
    found = ratio_of(size, kit, over)
    return None if found is None else _interval(found)


def _interval(found: Document) -> Interval:
    return Interval(found["median"], found["low"], found["high"])


def _of_fastest(works: Document, work: str, batch: int | None, what: str) -> Goal:
    return _against(works, work, batch, 1.0, what, "")


def _over(works: Document, work: str, peer: str, limit: float, what: str) -> Goal:
    return _against(works, work, None, limit, what, peer)


def _against(works: Document, work: str, batch: int | None, limit: float, what: str, peer: str) -> Goal:
    size = _size(works, work, batch)
    if size is None:
        return Goal(what, limit, None, why="this work was left out")
    other = fastest_peer(size, peer)
    if other is None:
        return Goal(what, limit, None, why=f"{peer or 'no peer'} was not there")
    named = f"{what}, {other['name']}"
    return Goal(named, limit, _ratio(size, best_of_kit(size)["name"], other["name"]))


def _start(what: str, starts: Document | None, ours: int = 0) -> Goal:
    """ours: which of kit's, in their order."""
    ratios = [] if starts is None else starts["ratios"]
    over = [one for one in ratios if one["over"].startswith("ONNX Runtime")]
    found = over[ours] if ours < len(over) else None
    return Goal(what, 0.1, None if found is None else _interval(found), why="ONNX Runtime was not there")


def _csv(runs: list[Document]) -> list[Goal]:
    alone = {one["rows"]: one["ways"][0] for one in runs if one["one_core"]}
    rate, growth = "predictor run, ten million CSV rows, one core: rows in a second", "the same: peak memory"
    growth += " over that for one million rows"
    large, small = alone.get(10_000_000), alone.get(1_000_000)
    left_out = "the file was left out"
    speed = None if large is None else Interval.of([10_000_000 / one for one in large["seconds"]])
    memory = None
    if large is not None and small is not None:
        base = max(small["peak_bytes"])
        memory = Interval.of([one / base for one in large["peak_bytes"]])
    return [
        Goal(rate, 3_000_000, speed, most=False, why=left_out),
        Goal(growth, 1.1, memory, why=left_out),
    ]


def _threads(works: Document) -> Goal:
    what, limit = "MLP, batch 65,536: 2 threads, times as fast as 1", 1.7
    size = _size(works, "mlp, 2 threads", 65_536)
    if size is None:
        return Goal(what, limit, None, most=False, why="this work was left out")
    single: Callable[[Document], bool] = lambda one: one["over"].endswith("1 thread)")  # noqa: E731
    ratios = [one for one in size["ratios"] if single(one)]
    program = ratios[0]["over"].removesuffix(" (C++, 1 thread)") if ratios else ""
    found = next((one for one in ratios if one["kit"] == f"{program} (C++)"), None)
    if found is None:
        return Goal(what, limit, None, most=False, why="one thread was not measured")
    speedup = Interval(1 / found["median"], 1 / found["high"], 1 / found["low"])
    return Goal(what, limit, speedup, most=False)
