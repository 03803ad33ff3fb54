"""The report: Markdown for people, and the same as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench.gpu.goals import Goal, goals_of
from tests.bench.gpu.results import Compiled, Mlp, Pointwise, Results, Way
from tests.bench.gpu.samples import Spread

FORMAT = 1

HEAD = """\
# On a GPU

Written by `make gpu` on {date} (UTC); the same numbers are in [{json}]({json}). A time is the median over
{rounds} rounds, in which the ways take turns, of the mean of {calls} calls; in brackets are the tenth and the
ninetieth percentile. Ratios are formed within a round.
"""

POINTWISE = """
## A pointwise chain

`relu(x * m1 + m2)` on three matrices of one size. Fused it is one kernel, which reads three matrices and
writes one; unfused it is three kernels, which read five and write three. The copy moves as many bytes as the
fused chain must: it is what the memory can do. Times are those of the device, without the caller's: calls are
queued while the device is busy with something else.
"""

MLP = """
## The MLP of examples/mlp

Time from a call to its result; the call is waited for. In the CUDA graph are all kernels of the TorchScript
program for this batch size; the copy of the input into the graph's memory comes before it and is measured
with it. The output stays in the graph's memory, which the next replay writes again.
"""

COMPILED = """
## Programs of AOTInductor

The same archive's two programs, both in kit's C++ engine: TorchScript, fused where a device fuses, and aoti,
compiled ahead of time for this GPU. Time from a call to its result, with inputs on the device; the call is
waited for. The convolutions of both are cuDNN's, in TF32, as the recipe of resnet18 recommends.
"""


def to_dict(results: Results) -> dict[str, Any]:
    """As it stands in the JSON file: seconds and bytes. Goals are there if a GPU was measured."""
    goals = [{**asdict(goal), "met": goal.met} for goal in _goals(results)]
    return {"format": FORMAT, **asdict(results), "goals": goals}


def markdown(results: Results, json_name: str) -> str:
    """The page. json_name: the file beside it."""
    how = results.method
    text = HEAD.format(json=json_name, date=results.date, rounds=how.rounds, calls=how.calls)
    text += "\n" + _table(("what", "which"), [(name, value) for name, value in _facts(results)])
    if goals := _goals(results):
        text += "\n## Goals\n\n" + _table(
            ("goal", "at least", "measured", ""), [_goal(goal) for goal in goals]
        )
    launches = "operations" if results.device == "cpu" else "kernels"
    text += POINTWISE + "\n" + _pointwise(results.pointwise, launches)
    text += MLP + "\n" + _mlp(results.mlp, launches)
    if results.compiled:
        text += COMPILED + "\n" + _compiled(results.compiled, launches)
    return text + "\n## Configurations\n\n" + _configurations(results)


def write(results: Results, path: Path) -> Path:
    """Writes the page to `path` and the JSON beside it, whose path it gives. Where one of them cannot be
    written, both stay as they were. Raises OSError."""
    json_path = path.with_suffix(".json")
    contents = {
        json_path: json.dumps(to_dict(results), indent=1, ensure_ascii=False) + "\n",
        path: markdown(results, json_path.name),
    }
    unfinished = {target: target.with_name(target.name + ".part") for target in contents}
    try:
        for target, part in unfinished.items():
            part.write_text(contents[target], encoding="utf-8")
        for target, part in unfinished.items():
            os.replace(part, target)
    finally:
        for part in unfinished.values():
            part.unlink(missing_ok=True)
    return json_path


def _goals(results: Results) -> list[Goal]:
    """None on a CPU, where fused chains are interpreted."""
    return goals_of(results.pointwise) if results.device != "cpu" else []


def _goal(goal: Goal) -> tuple[str, ...]:
    return goal.what, f"{goal.least:.2f}", _ratio(goal.measured), "met" if goal.met else "missed"


def _facts(results: Results) -> list[tuple[str, str]]:
    tests = [
        (
            f"tests of {run.runner}",
            f"{run.passed} passed, {run.failed} failed, {run.skipped} skipped"
            + (f"; stopped with {run.unfinished} unfinished" if run.unfinished else ""),
        )
        for run in results.tests
    ]
    return [("device", results.device), *results.machine.items(), *tests]


def _pointwise(results: Sequence[Pointwise], launches: str) -> str:
    rows = [
        (
            one.title,
            way.name,
            _count(way),
            _time(way.seconds),
            f"{tensors} × {one.tensor_bytes / 2**20:.4g} MiB",
            f"{tensors * one.tensor_bytes / way.seconds.median / 1e9:.4g}",
        )
        for one in results
        for way, tensors in zip(one.ways, one.tensors, strict=True)
    ]
    table = _table(("size", "way", launches, "µs", "must move", "GB/s"), rows)
    notes = [
        f"- {one.rows}×{one.columns}: fused moves its bytes at {_ratio(one.share)} of the copy's speed, and "
        f"is {_ratio(one.speedup)} times as fast as unfused.\n"
        for one in results
    ]
    return table + "\n" + "".join(notes)


def _mlp(results: Sequence[Mlp], launches: str) -> str:
    rows = [
        (str(one.batch), way.name, _count(way), _time(way.seconds)) for one in results for way in one.ways
    ]
    table = _table(("batch", "way", launches, "µs"), rows)
    notes = [
        f"- batch {one.batch}: the graph is {_ratio(one.speedup)} times as fast as TorchScript in Python.\n"
        if one.speedup is not None
        else f"- batch {one.batch}: not in a CUDA graph, as there is no CUDA.\n"
        for one in results
    ]
    return table + "\n" + "".join(notes)


def _compiled(results: Sequence[Compiled], launches: str) -> str:
    rows = [(one.title, way.name, _count(way), _time(way.seconds)) for one in results for way in one.ways]
    notes = [
        f"- {one.title}: aoti is {_ratio(one.speedup)} times as fast as TorchScript.\n" for one in results
    ]
    return _table(("model", "way", launches, "µs"), rows) + "\n" + "".join(notes)


def _configurations(results: Results) -> str:
    ways = [way for one in results.pointwise for way in one.ways]
    ways += [way for one in results.mlp for way in one.ways]
    ways += [way for one in results.compiled for way in one.ways]
    return _table(
        ("way", "configuration"), list(dict.fromkeys((way.name, way.configuration) for way in ways))
    )


def _count(way: Way) -> str:
    return "not seen" if way.kernels is None else str(way.kernels)


def _time(seconds: Spread) -> str:
    return _spread(seconds.scaled(1e6), ".4g")


def _ratio(value: Spread) -> str:
    return _spread(value, ".3g")


def _spread(value: Spread, form: str) -> str:
    return f"{value.median:{form}} ({value.p10:{form}}–{value.p90:{form}})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    # A bar in a cell would end it.
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)
