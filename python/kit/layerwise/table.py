"""A LayersReport as a table for people."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from kit.report import Difference

if TYPE_CHECKING:
    from kit.layerwise.report import Layer, LayersReport

_HEAD = ["", "submodule", "class", "shape", "max abs", "max rel", "verdict"]


def table(report: LayersReport) -> str:
    """The submodules, the outputs, the runs, what was not looked at, and the summary."""
    count = f"{report.cases} case{'' if report.cases == 1 else 's'}"
    parts = [[f"{report.path}: {count}"] + ([report.note] if report.note else [])]
    if report.layers:
        parts.append(_aligned([_HEAD, *(_cells(one, one is report.first) for one in report.layers)], (4, 5)))
    head = ["", "output", "", *_HEAD[3:]]
    parts.append(_aligned([head, *(_cells(one, False) for one in report.outputs)], (4, 5)))
    runs = [["run by run", "run", "from eager", "from run 1"]]
    runs += [[one.way, str(one.run), _told(one.from_eager), _told(one.from_first)] for one in report.runs]
    parts.append(_aligned(runs, (1,)))
    if report.unseen:
        reasons = dict.fromkeys(report.unseen.values())
        named = {why: [name for name, other in report.unseen.items() if other == why] for why in reasons}
        lines = [f"  {why}: {', '.join(names)}" for why, names in named.items()]
        parts.append(["not looked at:", *lines])
    parts.append([report.summary if report.passed else f"DIFFERS; {report.summary}"])
    return "\n\n".join("\n".join(part) for part in parts)


def _cells(layer: Layer, first: bool) -> list[str]:
    cells = [">" if first else "", layer.title, layer.kind, layer.shape]
    one = layer.difference
    if one is None:
        return [*cells, "", "", f"not compared: {layer.note}"]
    numbers = ["0", "0"] if one.bit_equal else [f"{one.max_abs:.2g}", f"{one.max_rel:.2g}"]
    verdict = f"DIFFERS: {one.reason}" if not one.within else "bit-equal" if one.bit_equal else "within"
    return [*cells, *numbers, f"{verdict} ({layer.note})" if layer.note else verdict]


def _told(one: Difference) -> str:
    if not one.within:
        return f"DIFFERS by {one.max_abs:.2g}: {one.reason}"
    return "bit-equal" if one.bit_equal else f"{one.max_abs:.2g} (within)"


def _aligned(rows: Sequence[Sequence[str]], right: Collection[int]) -> list[str]:
    """Columns as wide as they must be, those in `right` aligned to the right; empty ones are left out."""
    kept = [index for index in range(len(rows[0])) if any(row[index] for row in rows)]
    widths = {index: max(len(row[index]) for row in rows) for index in kept}
    ruled = [rows[0], ["─" * widths.get(index, 0) for index in range(len(rows[0]))], *rows[1:]]
    return [
        "  ".join(
            row[index].rjust(widths[index]) if index in right else row[index].ljust(widths[index])
            for index in kept
        ).rstrip()
        for row in ruled
    ]
