"""The plot and the tables of a comparison as one page of HTML, which needs nothing but itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from kit.peers import report
from kit.peers.chart import Chart, Line, chart_of, spread_out, steps, ticks, time_label, time_text
from kit.peers.report import best_of_kit, ratio_of, sizes_text, spread_text

WIDTH, HEIGHT = 980, 540
LEFT, RIGHT, TOP, BOTTOM = 74, 252, 16, 52

_STYLE = """\
:root { color-scheme: light dark; --ground: #ffffff; --ink: #1f2328; --soft: #57606a; --line: #d8dee4;
  --row: #f6f8fa; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #12161c; --ink: #e6edf3; --soft: #9aa5b1; --line: #313a45; --row: #1b222b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 24px 20px 40px; background: var(--ground);
  color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
h1 { font-size: 22px; line-height: 1.25; margin: 0 0 12px; }
h2 { font-size: 16px; margin: 32px 0 8px; }
p { color: var(--soft); margin: 6px 0; font-size: 13.5px; max-width: 100ch; }
.scroll { overflow-x: auto; }
svg { display: block; width: 100%; min-width: 700px; height: auto; }
svg text { fill: var(--ink); font-size: 12.5px; }
svg .grid { stroke: var(--line); }
svg .spread { stroke: var(--ink); stroke-width: 1.6; }
svg .soft { fill: var(--soft); }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 5px 14px 5px 8px; white-space: nowrap; }
th { color: var(--soft); font-weight: 600; border-bottom: 1px solid var(--line); }
td.number, th.number { text-align: right; }
tbody tr:nth-child(even) { background: var(--row); }
tr.kit td:first-child { font-weight: 600; }
"""


def page(document: dict[str, Any]) -> str:
    """The text of the page."""
    chart = chart_of(document)
    parts = [f"<h1>{escape(chart.title)}</h1>", '<div class="scroll">', _drawing(chart), "</div>"]
    parts += [f"<p>{escape(text)}.</p>" for text in chart.caption]
    for one in document["sizes"]:
        parts += _size(one)
    if "starts" in document:
        parts += _starts(document["starts"])
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(chart.title)}</title>\n<style>\n{_STYLE}{_colours(chart)}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def _colours(chart: Chart) -> str:
    light = "".join(f".w{i} {{ --way: {line.colour}; }}\n" for i, line in enumerate(chart.lines))
    dark = "".join(f".w{i} {{ --way: {line.dark}; }} " for i, line in enumerate(chart.lines))
    shared = (
        "svg .way { stroke: var(--way); fill: none; } svg .dot { fill: var(--way); stroke: var(--way); }\n"
    )
    shared += "svg .hollow { fill: var(--ground); stroke: var(--way); stroke-width: 2; }\n"
    shared += (
        "svg .band { fill: var(--way); opacity: 0.14; } svg text.way { stroke: none; fill: var(--way); }\n"
    )
    return f"{light}{shared}@media (prefers-color-scheme: dark) {{ {dark}}}\n"


def _drawing(chart: Chart) -> str:
    inner = _lines(chart) if chart.axis else _bars(chart)
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(chart.title)}">\n'
        + "\n".join(inner)
        + "\n</svg>"
    )


def _log_scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    width = math.log(high) - math.log(low)
    return lambda value: start + (math.log(value) - math.log(low)) / width * (end - start)


def _bounds(chart: Chart) -> tuple[float, float]:
    points = [point for line in chart.lines for point in line.points]
    return min(point.low for point in points), max(point.high for point in points)


def _lines(chart: Chart) -> list[str]:
    low, high = _bounds(chart)
    xs = sorted({point.x for line in chart.lines for point in line.points})
    x_of = _log_scale(xs[0] / 1.25, xs[-1] * 1.25, LEFT, WIDTH - RIGHT)
    y_of = _log_scale(low / 1.4, high * 1.4, HEIGHT - BOTTOM, TOP)
    parts = []
    for tick in ticks(low / 1.4, high * 1.4):
        if low / 1.4 <= tick <= high * 1.4:
            y = y_of(tick)
            parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
            parts.append(
                f'<text class="soft" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">'
                f"{time_label(tick)}</text>"
            )
    for x in xs:
        parts.append(f'<path class="grid" d="M{x_of(x):.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
        parts.append(
            f'<text class="soft" x="{x_of(x):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">'
            f"{x:,.0f}</text>"
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(
        f'<text class="soft" x="{middle}" y="{HEIGHT - 10}" text-anchor="middle">{escape(chart.axis)} '
        "(log scale); solid: called from C or C++, dashed: from Python</text>"
    )
    ends = [y_of(line.points[-1].median) for line in chart.lines]
    heights = spread_out(ends, 18, TOP + 6, HEIGHT - BOTTOM)
    for index, (line, end, height) in enumerate(zip(chart.lines, ends, heights, strict=True)):
        parts.append(f'<g class="w{index}">{_one_line(line, x_of, y_of, end, height)}</g>')
    return parts


def _one_line(
    line: Line,
    x_of: Callable[[float], float],
    y_of: Callable[[float], float],
    end: float,
    height: float,
) -> str:
    places = [(x_of(point.x), y_of(point.median)) for point in line.points]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    band = [(x_of(point.x), y_of(point.high)) for point in line.points]
    band += [(x_of(point.x), y_of(point.low)) for point in reversed(line.points)]
    dashes = ' stroke-dasharray="6 4"' if line.dashed else ""
    width, radius, weight = (2.6, 3.6, "600") if line.kit else (1.6, 3, "400")
    dots = "".join(
        f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"><title>{escape(line.name)}, '
        f"{escape(point.text)}: {time_text(point.median)}</title></circle>"
        for (x, y), point in zip(places, line.points, strict=True)
    )
    edge = WIDTH - RIGHT
    return (
        f'<path class="band" d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in band)}Z"/>'
        f'<path class="way" stroke-width="{width}"{dashes} d="{path}"/>{dots}'
        f'<path class="way" stroke-width="1" opacity="0.5" '
        f'd="M{places[-1][0] + 5:.1f} {end:.1f}L{edge + 12} {height:.1f}"/>'
        f'<text class="way" font-weight="{weight}" x="{edge + 16}" y="{height + 4:.1f}">'
        f"{escape(line.name)}</text>"
    )


def _bars(chart: Chart) -> list[str]:
    left, right = 262, WIDTH - 90
    _, high = _bounds(chart)
    parts = []

    def x_of(value: float) -> float:
        return left + value / high * (right - left)

    for tick in steps(high):
        if tick <= high:
            x = x_of(tick)
            parts.append(f'<path class="grid" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
            parts.append(
                f'<text class="soft" x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">'
                f"{time_label(tick)}</text>"
            )
    parts.append(
        f'<text class="soft" x="{(left + right) / 2}" y="{HEIGHT - 10}" text-anchor="middle">time for a '
        "call; filled: called from C or C++, hollow: from Python</text>"
    )
    rows = sorted(enumerate(chart.lines), key=lambda pair: pair[1].points[0].median)
    step = (HEIGHT - BOTTOM - TOP) / max(1, len(rows))
    for row, (index, line) in enumerate(rows):
        y, point = TOP + (row + 0.5) * step, line.points[0]
        kind = "hollow" if line.dashed else "dot"
        weight = "600" if line.kit else "400"
        parts.append(
            f'<g class="w{index}"><text x="{left - 14}" y="{y + 4:.1f}" text-anchor="end" '
            f'font-weight="{weight}">{escape(line.name)}</text>'
            f'<rect class="{kind}" x="{left}" y="{y - 0.28 * step:.1f}" height="{0.56 * step:.1f}" '
            f'width="{x_of(point.median) - left:.1f}"/>'
            f'<path class="spread" d="M{x_of(point.low):.1f} {y:.1f}H{x_of(point.high):.1f}"/>'
            f'<text x="{x_of(point.high) + 10:.1f}" y="{y + 4:.1f}">{time_text(point.median)}</text></g>'
        )
    return parts


def _size(size: dict[str, Any]) -> list[str]:
    best = best_of_kit(size)["name"]
    rows = []
    for way in sorted(size["ways"], key=lambda way: way["microseconds"]["median"]):
        found = ratio_of(size, best, way["name"])
        ratio = "" if found is None else spread_text(found, ".3f")
        cells = (way["name"], report.time_text(way["microseconds"]), ratio, way["difference"], way["setting"])
        rows.append((way["kit"], cells))
    head = ("", "µs for a call", f"{best} over it", "differs from eager by", "setting")
    stable = "" if size["stable"] else "; not all medians are stable within 2 %"
    parts = [f"<h2>{escape(sizes_text(size['sizes']))}</h2>", _table(head, rows, numbers=(1, 2))]
    parts.append(f"<p>{size['rounds']} rounds{stable}.</p>")
    return parts + [
        f"<p>{escape(one['name'])}: not measured: {escape(one['reason'])}.</p>" for one in size["absent"]
    ]


def _starts(starts: dict[str, Any]) -> list[str]:
    rows = []
    for way in sorted(starts["ways"], key=lambda way: way["milliseconds"]["median"]):
        found = next((one for one in starts["ratios"] if one["over"] == way["name"]), None)
        ratio = "" if found is None else spread_text(found, ".4f")
        rows.append((way["kit"], (way["name"], report.time_text(way["milliseconds"]), ratio)))
    head = ("", "ms", "predictor over it")
    title = f"Start to first prediction of a whole process, {sizes_text(starts['sizes'])}"
    parts = [f"<h2>{escape(title)}</h2>", _table(head, rows, numbers=(1, 2))]
    return parts + [
        f"<p>{escape(one['name'])}: not measured: {escape(one['reason'])}.</p>" for one in starts["absent"]
    ]


def _table(head: Sequence[str], rows: Sequence[tuple[bool, Sequence[str]]], numbers: Sequence[int]) -> str:
    def cells(tag: str, texts: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{' class=number' if i in numbers else ''}>{escape(text)}</{tag}>"
            for i, text in enumerate(texts)
        )

    body = "".join(f"<tr{' class=kit' if kit else ''}>{cells('td', texts)}</tr>\n" for kit, texts in rows)
    return (
        f'<div class="scroll"><table>\n<thead><tr>{cells("th", head)}</tr></thead>\n'
        f"<tbody>\n{body}</tbody>\n</table></div>"
    )
