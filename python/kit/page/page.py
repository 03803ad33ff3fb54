"""One HTML file that shows the stages of a graph and what was fused."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Any

from kit.configuration import Configuration
from kit.page.boxes import draw
from kit.page.layout import check_tools, layout
from kit.page.match import match
from kit.page.reference import with_references
from kit.programs.sources import Sources
from kit.writing import replacing

Json = Mapping[str, Any]

_SCRIPTS = ("drawing.js", "viewport.js", "details.js", "tables.js", "page.js")


def page(archive: str, graphs: Sequence[Json], fusion: Json, sources: Sources | None = None) -> str:
    """The page. It needs no network: style, scripts and data are in it, and its policy forbids the rest.

    archive: what to call the model.
    graphs: of one method, each stage once, as Graph JSON.
    fusion: of the same method, as FusionReport JSON.
    sources: the lines of the user's code that the archive tells of.

    Raises UnavailableError if Graphviz is missing or fails.
    """
    check_tools()
    graphs = [_with_sources(graph, sources or {}) for graph in graphs]
    groups = _groups(graphs, fusion["groups"])
    names = [group["name"] for group in groups]
    drawings = [with_references(draw(graph, names, fold)) for graph in graphs for fold in (True, False)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each waits for a process of its own
        places = list(pool.map(layout, drawings))
    stages = [
        {"graph": graph, "same": same, "folded": places[2 * index], "full": places[2 * index + 1]}
        for index, (graph, same) in enumerate(zip(graphs, match(graphs), strict=True))
    ]
    configuration = str(Configuration.parse(fusion))
    return _filled(
        archive, {"configuration": configuration, "stages": stages, "groups": groups, "fusion": fusion}
    )


def _with_sources(graph: Json, sources: Sources) -> Json:
    """The graph with the user's lines at its nodes. A line of the archive's code may hold several operations,
    and operations of one kind from several lines."""

    def lines(node: Json) -> list[Json]:
        line = node.get("line", {})
        entries = sources.get(line.get("file", ""), {}).get(line.get("line", 0), ())
        return [
            {"file": one["file"], "line": one["line"], "text": one["text"]}
            for one in entries
            if one["operation"] == node["operation"]
        ]

    nodes = [{**node, "sources": found} if (found := lines(node)) else node for node in graph["nodes"]]
    return {**graph, "nodes": nodes}


def write_page(path: str | os.PathLike[str], text: str) -> None:
    """Write the page to a file, all of it or nothing.

    Raises UsageError if the directory does not exist, UnavailableError if it cannot be written.
    """
    with replacing(path, "inspect") as file:
        file.write(text.encode(errors="replace"))


def _groups(graphs: Sequence[Json], reported: Sequence[Json]) -> list[dict[str, Any]]:
    """Name and report, if there is one, of each fused group that is drawn, by its number in the graphs."""
    operations: dict[int, list[str]] = {}
    for graph in graphs:
        for node in graph["nodes"]:
            if (group := node.get("group")) is not None:
                operations.setdefault(group, []).append(node["operation"])
    groups, free = [], list(range(len(reported)))
    for number in range(max(operations, default=-1) + 1):
        members = sorted(_computing(operations.get(number, [])))
        found = next((index for index in free if _members(reported[index]) == members), None)
        if found is not None:
            free.remove(found)
        name = f"group {number}" if found is None else reported[found]["name"]
        groups.append({"name": name, "report": found})
    return groups


def _members(report: Json) -> list[str]:
    return sorted(_computing([one["operation"] for one in report["operations"]]))


def _computing(operations: Sequence[str]) -> list[str]:
    return [
        operation for operation in operations if operation not in ("prim::Constant", "prim::ListConstruct")
    ]


def _filled(title: str, data: Json) -> str:
    """The template with everything put in. The policy names the hashes of the style and of the script."""
    style, script = _resource("page.css"), "\n".join(map(_resource, _SCRIPTS))
    # A script ends at "</script", wherever that stands, and "<!--" too means something: no "<" may be left.
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    parts = {
        "title": html.escape(title),
        "policy": f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}",
        "style": style,
        "script": script,
        "data": text,
    }
    # One pass over the template: what is put in is never looked at again.
    pieces = _resource("page.html").split("@@")
    return "".join(piece if index % 2 == 0 else parts[piece] for index, piece in enumerate(pieces))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _resource(name: str) -> str:
    return files("kit.page").joinpath(name).read_text(encoding="utf-8")
