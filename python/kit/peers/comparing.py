"""Comparing an archive with its peers: what `python -m kit bench MODEL --peers RECIPE` does."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from kit.archive import Archive
from kit.eager import Eager, module_of
from kit.errors import UsageError
from kit.method import FORWARD, Method
from kit.peers.contender import Absent, Contender
from kit.peers.interleave import measure, ratio
from kit.peers.machine import host, versions
from kit.peers.readiness import get_ready
from kit.peers.report import FORMAT, VERSION, PeerReport, interval
from kit.peers.starts import measure_starts
from kit.peers.ways import all_ways
from kit.peers.work import Files, Sizes, Work, sizes_of
from kit.predictor import find_predictor
from kit.recipe import Recipe, run_recipe
from kit.replay import eager_of, known_manifest
from kit.series import Interval
from kit.state import evaluating, taking_turns
from kit.workload import inputs_of

STARTS = 7
"""How often each program is started: with six or more the median has bounds."""


def compare_with_peers(
    path: str | os.PathLike[str],
    recipe: Recipe | Callable[[], object] | str,
    *,
    engine: str = "auto",
    method: str = FORWARD,
    batches: Sequence[int] = (),
    threads: int = 1,
    seconds: float = 1.0,
    starts: int | None = None,
) -> PeerReport:
    """Measure an archive beside eager torch, TorchScript, bare libtorch, ONNX Runtime, OpenVINO and
    ExecuTorch, each where it is installed, on the same inputs and with as many threads. All take turns in
    one process.

    recipe: the one that the archive was exported from; the eager model comes from it, and what the other
        runtimes read is exported from that.
    engine: which of kit's programs; with "auto" each that runs here.
    batches: rows in a call; those of the golden cases, if not given.
    threads: within an operation.
    seconds: the most that each contender is measured at each size, on average.
    starts: how many fresh processes of each are started, to the first prediction; 7, if not given; 0 for
        none.

    Raises UsageError for arguments that are wrong, and for a recipe of another model, InputError for a batch
    out of range, ParityError if one of kit's programs disagrees with the eager model, UnavailableError if
    there is no predictor to be started.
    """
    _check(threads, seconds, starts)
    if starts != 0:
        find_predictor()  # now, and not when all else is measured
    archive = Archive(path)
    known = known_manifest(archive).method(method)
    sizes = sizes_of(archive, known, batches)
    before = torch.get_num_threads()
    with taking_turns(), tempfile.TemporaryDirectory(prefix="kit-") as folder:
        made = recipe if isinstance(recipe, Recipe) else run_recipe(recipe)
        torch.set_num_threads(threads)
        try:
            with evaluating(module_of(made.model)):
                eager = eager_of(made.by_method(), known, archive.path)
                files = Files(eager, known, archive, Path(folder))
                works = [_work(archive, known, eager, threads, files, one) for one in sizes]
                document = _head(archive, known, works, seconds)
                document["sizes"] = [_compare(one, engine, seconds, Path(folder)) for one in works]
                if starts != 0:
                    count = STARTS if starts is None else starts
                    document["starts"] = measure_starts(works[0], engine, count, Path(folder))
        finally:
            torch.set_num_threads(before)
    return PeerReport(document)


def _check(threads: int, seconds: float, starts: int | None) -> None:
    if threads < 1:
        raise UsageError(f"--operation-threads {threads} is not 1 or more; 1 if not given")
    if not 0 < seconds < float("inf"):
        raise UsageError("--seconds must be a number above 0; 1 if not given")
    if starts is not None and starts < 0:
        raise UsageError(f"--starts {starts} is below 0; give how many processes to start, or 0 for none")


def _work(archive: Archive, method: Method, eager: Eager, threads: int, files: Files, sizes: Sizes) -> Work:
    cases = [inputs for inputs, _ in archive.cases(method.name)]
    inputs = [tensor.contiguous() for tensor in inputs_of(method.signature, cases, sizes)]
    expected = [tensor.contiguous() for tensor in eager.run(inputs, "the inputs of the comparison")]
    return Work(archive, method, eager, threads, files, sizes, inputs, expected)


def _head(archive: Archive, method: Method, works: Sequence[Work], seconds: float) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "archive": archive.path,
        "model": {"name": known_manifest(archive).name, "method": method.name},
        "host": host(),
        "versions": versions(),
        "threads": works[0].threads,
        "seconds": seconds,
    }


def _compare(work: Work, engine: str, seconds: float, folder: Path) -> dict[str, Any]:
    """All ways at one size."""
    ready = [get_ready(way, work) for way in all_ways(work, engine, folder)]
    contenders = [one for one in ready if isinstance(one, Contender)]
    measured = measure(contenders, seconds)
    return {
        "sizes": work.sizes,
        "rounds": measured.rounds,
        "seconds": measured.seconds,
        "stable": measured.stable,
        "ways": [_row(one) for one in contenders],
        "ratios": [
            {"kit": one.name, "over": other.name, **interval(ratio(one, other))}
            for one in contenders
            for other in contenders
            if one.kit and one is not other
        ],
        "absent": [{"name": one.name, "reason": one.reason} for one in ready if isinstance(one, Absent)],
    }


def _row(one: Contender) -> dict[str, Any]:
    return {
        "name": one.name,
        "kit": one.kit,
        "reference": one.reference,
        "setting": one.setting,
        "microseconds": interval(Interval.of([value * 1e6 for value in one.seconds])),
        "difference": one.difference,
        "refused": list(one.refused),
    }
