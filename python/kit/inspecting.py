"""What `python -m kit inspect` prints of a loaded model."""

from __future__ import annotations

import argparse
import json

from kit.archive import Archive
from kit.cli_configuration import configuration_of
from kit.configuration import Configuration
from kit.errors import UsageError
from kit.golden import golden_inputs
from kit.graph import stage_before
from kit.method import FORWARD
from kit.runtime import Model, check_calls, load


def load_for_inspection(archive: Archive, options: argparse.Namespace) -> Model:
    """The model, loaded for the engine that has graphs."""
    return load(
        archive,
        engine="torchscript",
        device=device_of(options),
        method=method_of(options),
        configuration=configuration_of(options),
    )


def show_graph(options: argparse.Namespace) -> str:
    """The graph at a stage, or what led to it."""
    stage = "traced" if options.stage is None else options.stage
    if options.diff or stage != "traced":
        stage_before(stage, frozen=False)  # also of a stage that there is not, before anything is loaded
    if options.cases and stage != "optimized":
        raise UsageError("--case is for --stage optimized, which depends on the inputs")
    if len(options.cases or ()) > 1:
        raise UsageError("--graph takes one --case")
    archive = Archive(options.archive)
    inputs = []
    if stage == "optimized":
        inputs = golden_inputs(archive, method_of(options), options.cases or ())[0]
    model = load_for_inspection(archive, options)
    graph = model.graph(stage, inputs)
    diff = None
    if options.diff:
        diff = graph.since(model.graph(stage_before(stage, bool(model.configuration.freeze))))
    if not options.json:
        return str(graph if diff is None else diff).rstrip("\n")
    document = {
        "configuration": model.configuration.to_dict(),
        "device": device_of(options),
        "graph": graph.to_dict(),
        **({} if diff is None else {"diff": diff.to_dict()}),
    }
    return json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True)


def calls_of(options: argparse.Namespace) -> int:
    """How often the report runs each case. Raises UsageError for a number that C++ has no room for."""
    calls: int = 4 if options.calls is None else options.calls
    check_calls(calls)
    return calls


def show_fusion(options: argparse.Namespace) -> str:
    """What is fused, and what is not, when golden cases are run."""
    if options.stage is not None or options.diff:
        option = "--diff" if options.stage is None else "--stage"
        raise UsageError(f"{option} needs --graph, not --fusion-report; drop one of them")
    archive = Archive(options.archive)
    inputs = golden_inputs(archive, method_of(options), options.cases or ())
    calls = calls_of(options)
    report = load_for_inspection(archive, options).fusion(inputs, calls)
    if not options.json:
        return report.table(source=options.source).rstrip("\n")
    document = {"archive": archive.path, **report.to_dict()}
    return json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True)


def refuse_options_of_fusion(options: argparse.Namespace) -> None:
    """Raise UsageError for options that count only for the fusion report."""
    if options.calls is not None or options.source:
        raise UsageError(
            f"{'--source' if options.source else '--calls'} is for --fusion-report; give it, too"
        )


def method_of(options: argparse.Namespace) -> str:
    """The method that the options name, else the usual one."""
    return FORWARD if options.method is None else str(options.method)


def device_of(options: argparse.Namespace) -> str:
    """The device that the options name, else the usual one."""
    return "cpu" if options.device is None else str(options.device)


def refuse_options_of_loading(options: argparse.Namespace) -> None:
    """Raise UsageError for options that count only where the model is loaded."""
    for name in ("stage", "diff", "cases", "device", "method"):
        if getattr(options, name) not in (None, False):
            option = "--case" if name == "cases" else f"--{name}"
            wanted = "--graph" if name in ("stage", "diff") else "--graph or --fusion-report"
            raise UsageError(f"{option} needs {wanted}; see python -m kit inspect --help")
    if configuration_of(options) != Configuration():
        raise UsageError("how the engine runs counts where the model is loaded; give --graph, too")
