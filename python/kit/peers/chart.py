"""What the plots of a comparison show, whatever draws them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kit.peers.report import sizes_text

# A hue for each runtime that is legible on white and, in the second one, on black.
_COLOURS = {
    "kit native": ("#0b5fd0", "#6ba8ff"),
    "kit aoti": ("#00798c", "#4fc3d0"),
    "kit torchscript": ("#6a4fc9", "#b3a0ff"),
    "ONNX Runtime": ("#c2410c", "#ff9a57"),
    "OpenVINO": ("#9d174d", "#ff85b6"),
    "ExecuTorch": ("#3f7d20", "#93d36b"),
    "libtorch": ("#8a6d00", "#e3c04c"),
    "TorchScript": ("#8a6d00", "#e3c04c"),
    "eager": ("#5b6470", "#a9b4c0"),
}
_OTHER = ("#333333", "#cccccc")


@dataclass(frozen=True)
class Point:
    """A median and its bounds, in microseconds. x: the size, and `text` in words."""

    x: float
    median: float
    low: float
    high: float
    text: str


@dataclass(frozen=True)
class Line:
    """One way at all sizes where it was measured, ascending.

    colour, dark: on a light and on a dark ground. dashed: it is called from Python.
    """

    name: str
    kit: bool
    dashed: bool
    colour: str
    dark: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Chart:
    """The lines, and the words around them. axis: what varies, or "" if only one size was measured."""

    title: str
    axis: str
    lines: tuple[Line, ...]
    caption: tuple[str, ...]


def chart_of(document: dict[str, Any]) -> Chart:
    """The chart of a comparison."""
    sizes = document["sizes"]
    axis = _varying([one["sizes"] for one in sizes])
    points: dict[str, list[Point]] = {}
    kit: dict[str, bool] = {}
    for index, one in enumerate(sizes):
        for way in one["ways"]:
            known = way["microseconds"]
            x = one["sizes"].get(axis, index + 1) if axis else 1
            point = Point(float(x), known["median"], known["low"], known["high"], sizes_text(one["sizes"]))
            points.setdefault(way["name"], []).append(point)
            kit[way["name"]] = way["kit"]
    lines = [_line(name, kit[name], sorted(found, key=lambda p: p.x)) for name, found in points.items()]
    title = f"{document['model']['name']}: latency of a call"
    return Chart(title, axis, tuple(lines), _caption(document, axis))


def ticks(low: float, high: float) -> list[float]:
    """Powers of ten that enclose what is between two positive numbers."""
    exponent = -9
    while 10.0 ** (exponent + 1) <= low:
        exponent += 1
    found = [10.0**exponent]
    while found[-1] < high:
        exponent += 1
        found.append(10.0**exponent)
    return found if len(found) > 1 else [*found, found[0] * 10]


def time_label(microseconds: float) -> str:
    """ "10 µs", "1 ms", "1 s", "0"."""
    if microseconds == 0:
        return "0"
    for unit, size in (("s", 1e6), ("ms", 1e3), ("µs", 1.0)):
        if microseconds >= size:
            return f"{microseconds / size:g} {unit}"
    return f"{microseconds * 1000:g} ns"


def steps(high: float) -> list[float]:
    """Round numbers from 0 to beyond a positive number, four to eleven of them."""
    unit = 10.0 ** math.floor(math.log10(high))
    step = next(unit * part for part in (0.2, 0.5, 1.0) if high / (unit * part) <= 10)
    return [step * i for i in range(math.ceil(high / step) + 1)]


def time_text(microseconds: float) -> str:
    """ "0.461 µs", "31.1 ms": three digits."""
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if microseconds >= size:
            return f"{microseconds / size:.3g} {unit}"
    return f"{microseconds:.3g} µs"


def spread_out(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places for labels as near as possible to where they are wanted, at least `gap` apart and within bounds
    (as far as there is room)."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed: list[float] = []
    for i in order:
        placed.append(max(wanted[i], placed[-1] + gap if placed else low))
    limit = high
    for k in range(len(placed) - 1, -1, -1):
        placed[k] = min(placed[k], limit)
        limit = placed[k] - gap
    result = [0.0] * len(wanted)
    for k, i in enumerate(order):
        result[i] = placed[k]
    return result


def _varying(sizes: Sequence[dict[str, int]]) -> str:
    """The dim that is not the same in all sizes; of several the first."""
    for name in sizes[0]:
        if len({one[name] for one in sizes}) > 1:
            return name
    return ""


def _line(name: str, kit: bool, points: Sequence[Point]) -> Line:
    colour, dark = next((both for start, both in _COLOURS.items() if name.startswith(start)), _OTHER)
    return Line(name, kit, "(Python)" in name, colour, dark, tuple(points))


def _caption(document: dict[str, Any], axis: str) -> tuple[str, ...]:
    host, threads = document["host"], document["threads"]
    sizes = document["sizes"][0]["sizes"]
    size = f" {sizes_text(sizes)};" if sizes and not axis else ""
    how = (
        f"{'1 thread' if threads == 1 else f'{threads} threads'} within an operation;{size} medians of "
        "blocks of 20 ms in which all take turns, with their 95 % bounds; each in its fastest setting"
    )
    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    return how, f"{host['cpu']}, {host['cores']} cores, {host['isa']}; {host['date']}", versions
