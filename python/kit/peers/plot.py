"""The plot of a comparison as PNG, drawn by matplotlib."""

from __future__ import annotations

import importlib.util
import io
import textwrap
from typing import Any

from kit.errors import UnavailableError
from kit.peers.chart import Chart, chart_of, spread_out, steps, ticks, time_label, time_text

WIDTH, HEIGHT, DPI = 11.0, 6.8, 110
_INK, _GRID = "#1f2328", "#d8dee4"


def check_matplotlib() -> None:
    """Raise UnavailableError if matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise UnavailableError(
            "matplotlib is not installed, which draws the plot; install it (pip install matplotlib), or drop "
            "--plot"
        )


def png(document: dict[str, Any]) -> bytes:
    """The bytes of the file. Raises UnavailableError without matplotlib."""
    check_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    chart = chart_of(document)
    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.07, 0.2, 0.63, 0.72) if chart.axis else (0.27, 0.2, 0.68, 0.72))
    _lines(axes, chart) if chart.axis else _bars(axes, chart)
    axes.set_title(chart.title, loc="left", color=_INK, fontsize=13, fontweight="bold")
    axes.tick_params(colors=_INK, labelsize=9, which="both", length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    text = "\n".join(line for part in chart.caption for line in textwrap.wrap(part, 150))
    figure.text(0.02, 0.02, text, fontsize=8, color="#57606a", va="bottom", linespacing=1.5)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _lines(axes: Any, chart: Chart) -> None:
    """Latency against size, on log axes, with a label at the end of each line."""
    for line in chart.lines:
        x = [point.x for point in line.points]
        y = [point.median for point in line.points]
        axes.plot(
            x,
            y,
            color=line.colour,
            linestyle=(0, (4, 2)) if line.dashed else "-",
            linewidth=2.2 if line.kit else 1.4,
            marker="o",
            markersize=4.5 if line.kit else 3.5,
            zorder=3 if line.kit else 2,
        )
        low, high = [point.low for point in line.points], [point.high for point in line.points]
        axes.fill_between(x, low, high, color=line.colour, alpha=0.15, linewidth=0)
    axes.set_xscale("log")
    axes.set_yscale("log")
    xs = sorted({point.x for line in chart.lines for point in line.points})
    _scale(axes, chart)
    axes.set_xticks(xs, [f"{x:,.0f}" for x in xs])
    axes.minorticks_off()
    axes.set_xlabel(f"{chart.axis} (log scale); dashed: called from Python", color=_INK, fontsize=10)
    axes.set_ylabel("time for a call (log scale)", color=_INK, fontsize=10)
    axes.grid(True, color=_GRID, linewidth=0.8)
    axes.set_xlim(xs[0] / 1.25, xs[-1] * 1.25)
    _end_labels(axes, chart)


def _end_labels(axes: Any, chart: Chart) -> None:
    place = axes.transData + axes.transAxes.inverted()
    ends = [place.transform((line.points[-1].x, line.points[-1].median)) for line in chart.lines]
    heights = spread_out([end[1] for end in ends], 0.046, 0.02, 1.0)
    for line, end, height in zip(chart.lines, ends, heights, strict=True):
        axes.plot(
            [end[0] + 0.008, 1.03],
            [end[1], height],
            color=line.colour,
            alpha=0.45,
            linewidth=0.8,
            transform=axes.transAxes,
            clip_on=False,
        )
        axes.text(
            1.035,
            height,
            line.name,
            transform=axes.transAxes,
            color=line.colour,
            fontsize=9,
            fontweight="bold" if line.kit else "normal",
            va="center",
        )


def _bars(axes: Any, chart: Chart) -> None:
    """One size alone: a bar for each way, the fastest above."""
    lines = sorted(chart.lines, key=lambda line: -line.points[0].median)
    for row, line in enumerate(lines):
        point = line.points[0]
        fill = "white" if line.dashed else line.colour
        axes.barh(row, point.median, height=0.55, color=fill, edgecolor=line.colour, linewidth=1.4, zorder=2)
        axes.plot([point.low, point.high], [row, row], color=_INK, linewidth=1.6, zorder=3)
        axes.annotate(
            time_text(point.median),
            (point.high, row),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            color=_INK,
        )
    highest = max(line.points[0].high for line in lines)
    found = steps(highest)
    axes.set_xticks(found, labels=[time_label(one) for one in found])
    axes.set_xlim(0, highest * 1.12)
    axes.set_yticks(range(len(lines)), [line.name for line in lines])
    for label, line in zip(axes.get_yticklabels(), lines, strict=True):
        label.set_fontweight("bold" if line.kit else "normal")
    axes.set_ylim(-0.7, len(lines) - 0.3)
    axes.set_xlabel("time for a call; hollow: called from Python", color=_INK, fontsize=10)
    axes.grid(True, axis="x", color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def _scale(axes: Any, chart: Chart) -> None:
    """Ticks at powers of ten; the axis ends a little beyond what was measured."""
    low = min(point.low for line in chart.lines for point in line.points)
    high = max(point.high for line in chart.lines for point in line.points)
    found = ticks(low, high)
    axes.set_yticks(found, labels=[time_label(one) for one in found])
    axes.set_ylim(low / 1.4, high * 1.4)
