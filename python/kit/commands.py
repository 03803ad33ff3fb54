"""What each command of `python -m kit` does. Nothing of torch is imported before a command needs it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from kit.cli_configuration import configuration_of
from kit.configuration import DEFAULTS
from kit.errors import TraceError, UnavailableError, UsageError

_CONTROLS = {code: f"\\u{code:04x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"}


def harmless(text: str) -> str:
    """The text with escapes for what a terminal would obey, as JSON has them: names come from files."""
    return text.translate(_CONTROLS)


def say(text: object) -> None:
    """Print, and find out now, not when Python exits, if it cannot be written."""
    if sys.stdout is None:  # it was closed when Python began
        raise UnavailableError("cannot write <stdout>: it is closed; write elsewhere")
    try:
        print(harmless(str(text)), flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnavailableError(f"cannot write <stdout>: {reason}; make room, or write elsewhere") from error


@contextmanager
def running_a_recipe(options: argparse.Namespace) -> Iterator[None]:
    """What the recipe and its model print goes to stderr where JSON is asked for, so that stdout is JSON."""
    if not options.json:
        yield
        return
    with redirect_stdout(sys.stderr):
        yield


def export(options: argparse.Namespace) -> int:
    """Export, and print the summary."""
    from kit.exporter import export_with_report
    from kit.summary import summary

    programs = options.programs or ["torchscript"]
    known = {"on_branch": options.on_branch} if options.on_branch else {}
    targets = [target for given in options.targets for target in given.split(",")]
    done = export_with_report(
        options.recipe, None, options.output, programs, device=options.device, known=known, targets=targets
    )
    if not options.quiet:
        say(summary(done))
    return 0


def lint(options: argparse.Namespace) -> int:
    """Print all findings; TraceError if there is one."""
    from kit.linting import lint, to_json

    with running_a_recipe(options):
        findings = lint(options.recipe, device=options.device)
    if options.json:
        say(to_json(findings))
    else:
        say("\n".join(map(str, findings)) if findings else "nothing found")
    if findings:
        what = "1 finding" if len(findings) == 1 else f"{len(findings)} findings"
        raise TraceError(f"{options.recipe}: {what}; an export would refuse the model", findings)
    return 0


def adopt(options: argparse.Namespace) -> int:
    """Adopt a file, and print the summary."""
    from kit.adopting import adopt_with_report, parse_dims
    from kit.summary import summary

    done = adopt_with_report(
        options.program,
        options.example,
        options.output,
        dynamic=parse_dims(options.dims),
        name=options.name,
        allow=options.allow,
    )
    if not options.quiet:
        say(summary(done))
    return 0


def inspect(options: argparse.Namespace) -> int:
    """Print what an archive holds, or the graph of its model."""
    from kit.inspecting import (
        refuse_options_of_fusion,
        refuse_options_of_loading,
        show_fusion,
        show_graph,
    )
    from kit.runtime import inspect

    if options.html is not None:
        from kit.page.command import write_report

        say(write_report(options))
        return 0
    if options.fusion_report:
        say(show_fusion(options))
        return 0
    refuse_options_of_fusion(options)
    if options.graph:
        say(show_graph(options))
        return 0
    refuse_options_of_loading(options)
    archive = inspect(options.archive)
    say(archive.to_json() if options.json else archive)
    return 0


def extract(options: argparse.Namespace) -> int:
    """Extract a program, and say in one line what was written."""
    from kit.extracting import HEADER, extract
    from kit.inspecting import method_of

    method = method_of(options)
    target = extract(
        options.archive,
        options.output,
        options.program,
        target=options.target,
        method=method,
        header=options.header,
    )
    if not options.quiet:
        beside = f", with {HEADER} beside it" if options.header else ""
        say(f"{options.output}: {method} of {options.archive}, {options.program} for {target}{beside}")
    return 0


def verify(options: argparse.Namespace) -> int:
    """Print the comparison with the golden cases; ParityError if they differ."""
    from kit.replay import verify

    configuration = configuration_of(options)
    report = verify(options.archive, options.engine, options.device, options.method, configuration)
    say(report.to_json() if options.json else report)
    report.raise_for_failure()
    return 0


def bench(options: argparse.Namespace) -> int:
    """Print what was measured; ParityError if a figure is beyond the limit of a comparison."""
    if options.peers is not None:
        return peers_of(options)
    if options.plot is not None:
        raise UsageError("--plot draws a comparison with peers; give --peers RECIPE, or drop --plot")
    from kit.benching import bench

    report = bench(
        options.archive,
        engine=options.engine,
        target=options.target,
        device=options.device,
        method=options.method,
        batches=options.batches,
        threads=options.callers,
        seconds=options.seconds,
        starts=options.starts,
        configuration=configuration_of(options),
        compare=options.compare,
        fail_above=options.fail_above,
    )
    say(report.to_json() if options.json else str(report).rstrip("\n"))
    report.raise_for_failure()
    return 0


def peers_of(options: argparse.Namespace) -> int:
    """Print the comparison with peers, and write its plots."""
    from kit.peers.command import compare, write_plots

    with running_a_recipe(options):
        report = compare(options)
    say(report.to_json() if options.json else report)
    if options.plot is not None:
        write_plots(options.plot, report)
    return 0


def bisect(options: argparse.Namespace) -> int:
    """Print what makes fused outputs differ; ParityError if something does."""
    from kit.bisecting import bisect_fusion

    report = bisect_fusion(
        options.archive,
        options.output,
        method=options.method,
        device=options.device,
        runs=options.runs,
        rtol=options.rtol,
        atol=options.atol,
        configuration=configuration_of(options),
    )
    say(report.to_json() if options.json else report)
    report.raise_for_failure()
    return 0


def parity(options: argparse.Namespace) -> int:
    """Print the comparison of all ways; ParityError if they differ."""
    if options.layers:
        return layers_of(options)
    if options.method is not None:
        raise UsageError("--method goes with --layers; all methods are compared without it")
    from kit.replay import parity

    configuration = configuration_of(options)
    with running_a_recipe(options):
        report = parity(options.recipe, options.archive, options.engine, options.device, configuration)
    say(report.to_json() if options.json else report)
    report.raise_for_failure()
    return 0


def layers_of(options: argparse.Namespace) -> int:
    """Print the comparison submodule by submodule; ParityError if they differ."""
    from kit.inspecting import method_of
    from kit.layerwise.search import layers

    if options.engine not in ("auto", "torchscript"):
        raise UsageError(f"--layers looks into the torchscript program, not {options.engine}; drop --engine")
    if (configuration := configuration_of(options)) != DEFAULTS:
        raise UsageError(f"--layers runs the program as torch does, not with {configuration}; drop that")
    with running_a_recipe(options):
        report = layers(options.recipe, options.archive, options.device, method_of(options))
    say(report.to_json() if options.json else report)
    report.raise_for_failure()
    return 0
