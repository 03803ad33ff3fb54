"""`python -m kit inspect --html`: from an archive to the page."""

from __future__ import annotations

import argparse

from kit.archive import Archive
from kit.errors import UsageError
from kit.golden import golden_inputs
from kit.inspecting import calls_of, load_for_inspection, method_of
from kit.page.layout import check_tools
from kit.page.page import page, write_page
from kit.programs.sources import MEMBER as SOURCES
from kit.programs.sources import parse_sources
from kit.writing import check_destination


def write_report(options: argparse.Namespace) -> str:
    """Write the page of an archive, and say so in one line.

    The report is of all cases that are asked for, the optimized graph of the first of them. What can be known
    to fail is told before the model is loaded.
    """
    for name in ("json", "stage", "diff", "source"):
        if getattr(options, name) not in (None, False):
            raise UsageError(f"--{name} does not go with --html, whose page shows everything; drop it")
    calls = calls_of(options)
    check_destination(options.html, options.archive)
    check_tools()
    archive = Archive(options.archive)
    inputs = golden_inputs(archive, method_of(options), options.cases or ())
    model = load_for_inspection(archive, options)
    graphs = [model.graph("traced"), model.graph("frozen"), model.graph("optimized", inputs[0])]
    report = model.fusion(inputs, calls)
    sources = parse_sources(archive.member(SOURCES)) if SOURCES in archive.member_names else None
    stages = [graph.to_dict() for graph in graphs]
    write_page(options.html, page(archive.path, stages, report.to_dict(), sources))
    groups = "1 fused group" if len(report.groups) == 1 else f"{len(report.groups)} fused groups"
    return f"wrote {options.html}: the graph at 3 stages, {groups}"
