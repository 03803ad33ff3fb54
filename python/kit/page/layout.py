"""Where boxes and arrows go: Graphviz decides, the page draws."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

from kit.errors import InternalError, UnavailableError
from kit.page.boxes import Drawing, Frame

Json = dict[str, Any]

_POINTS = 72.0  # per inch; a point of Graphviz is a pixel of the page
_LARGE = 600  # boxes; from here on with less effort, as the time grows with the square


def check_tools() -> None:
    """Raises UnavailableError if this host has no Graphviz."""
    if shutil.which("dot") is None:
        raise UnavailableError(
            "the page needs Graphviz to place the graph, and its program 'dot' is not on the PATH; install "
            "the package graphviz, as with: apt-get install graphviz"
        )


def layout(drawing: Drawing) -> Json:
    """Centres of the boxes, paths of the arrows and rectangles of the frames, in pixels from the upper left.

    Raises UnavailableError if Graphviz is missing or does not do it.
    """
    check_tools()
    source = "\n".join(_dot(drawing))
    done = subprocess.run(["dot", "-Tjson0"], input=source, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = " ".join(done.stderr.split())[:300] or f"it ended with {done.returncode}"
        raise UnavailableError(f"Graphviz cannot place the graph: {reason}; try another version of it")
    return _placed(drawing, json.loads(done.stdout))


def _dot(drawing: Drawing) -> Iterator[str]:
    large = len(drawing.boxes) > _LARGE
    effort = "nslimit=0.1, nslimit1=1, mclimit=0.3, " if large else ""
    yield f"digraph {{ graph [{effort}rankdir=TB, nodesep=0.22, ranksep=0.32, fontname=Courier, fontsize=12]"
    yield 'node [shape=box, fixedsize=true, label=""]'
    inner: dict[str | None, list[Frame]] = {}
    for frame in drawing.frames:
        inner.setdefault(frame.outer, []).append(frame)
    yield from _boxes(drawing, inner, None)
    for arrow in drawing.arrows:
        yield f'"{arrow.tail}" -> "{arrow.head}"'
    yield "}"


def _boxes(drawing: Drawing, inner: Mapping[str | None, list[Frame]], frame: str | None) -> Iterator[str]:
    for box in drawing.boxes:
        if box.frame == frame:
            width, height = box.label.width / _POINTS, box.label.height / _POINTS
            yield f'"{box.name}" [width={width:.4f}, height={height:.4f}]'
    for one in inner.get(frame, []):
        title = one.title.replace("\\", "\\\\").replace('"', '\\"')
        yield f'subgraph "cluster_{one.name}" {{ graph [label="{title}", labeljust=l, margin=10]'
        yield from _boxes(drawing, inner, one.name)
        yield "}"


def _placed(drawing: Drawing, found: Mapping[str, Any]) -> Json:
    _, _, width, height = _numbers(found["bb"])
    by_name = {one["name"]: one for one in found.get("objects", [])}
    names = [one["name"] for one in found.get("objects", [])]

    def centre(name: str) -> list[float]:
        x, y = _numbers(by_name[name]["pos"])
        return [round(x, 1), round(height - y, 1)]

    def rectangle(frame: Frame) -> list[float]:
        left, bottom, right, top = _numbers(by_name[f"cluster_{frame.name}"]["bb"])
        return [round(n, 1) for n in (left, height - top, right - left, top - bottom)]

    arrows = {
        (names[edge["tail"]], names[edge["head"]]): _path(edge["pos"], height)
        for edge in found.get("edges", [])
    }
    if len(arrows) != len(drawing.arrows):
        raise InternalError(f"Graphviz placed {len(arrows)} arrows of {len(drawing.arrows)}")
    return {
        "width": round(width, 1),
        "height": round(height, 1),
        "boxes": [
            {
                "name": box.name,
                "kind": box.kind,
                "at": centre(box.name),
                "size": [box.label.width, box.label.height],
                "title": box.label.title,
                "lines": box.label.lines,
                "node": box.node,
                "folded": box.folded,
                **({"refers": box.refers} if box.refers else {}),
            }
            for box in drawing.boxes
        ],
        "frames": [
            {"title": frame.title, "group": frame.group, "at": rectangle(frame)} for frame in drawing.frames
        ],
        "arrows": [
            {"tail": a.tail, "head": a.head, "control": a.control, "path": arrows[a.tail, a.head]}
            for a in drawing.arrows
        ],
    }


def _path(position: str, height: float) -> list[float]:
    """Numbers x, y of a start and then of Bézier curves, three points each; at last those of the tip."""
    tip, *points = position.removeprefix("e,").split(" ")
    numbers = [_numbers(point) for point in (*points, tip)]
    return [round(n, 1) for x, y in numbers for n in (x, height - y)]


def _numbers(text: str) -> list[float]:
    return [float(number) for number in text.split(",")]
