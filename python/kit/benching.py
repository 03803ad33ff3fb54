"""How fast an archive starts and runs: what `predictor bench` measures, and the latency from Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from kit.archive import Archive
from kit.configuration import DEFAULTS, Configuration
from kit.errors import ArchiveWarning, ParityError
from kit.method import FORWARD
from kit.predictor import configuration_options, error_of, find_predictor
from kit.runtime import Model, load
from kit.series import measure_latency
from kit.structure import restore
from kit.workload import inputs_of


@dataclass(frozen=True)
class BenchReport:
    """What was measured. `str` of it is the table.

    document: what `predictor bench --json` prints, with "python" beside it: latencies as in "latency", but of
        calls of `kit.load(...)`. It is empty for a method without golden cases, for there are no inputs.
    table: the same as text.
    failure: what is beyond the limit of a comparison, or "".
    """

    document: dict[str, Any]
    table: str
    failure: str = ""

    def __str__(self) -> str:
        return self.table

    def to_json(self) -> str:
        """The document; `compare` and `predictor bench --compare` take it from a file."""
        return json.dumps(self.document, indent=2)

    def raise_for_failure(self) -> None:
        """Raise ParityError if a figure is beyond the limit."""
        if self.failure:
            raise ParityError(self.failure)


def bench(
    path: str | os.PathLike[str],
    *,
    engine: str = "auto",
    target: str = "",
    device: str = "cpu",
    method: str = FORWARD,
    batches: Sequence[int] = (),
    threads: Sequence[int] = (),
    seconds: float = 1.0,
    starts: int | None = None,
    configuration: Configuration = DEFAULTS,
    compare: str | os.PathLike[str] | None = None,
    fail_above: float | None = None,
) -> BenchReport:
    """Measure the start of fresh processes, then latency, throughput and memory, with `predictor bench`, and
    the latency of a call from Python.

    batches: rows in a call; those of the golden cases, if not given.
    threads: how many threads call one model at once; 1 and as many as there are cores, if not given. Threads
        within an operation are `configuration.threads`.
    seconds: the most that a figure takes.
    starts: how many fresh processes are started; between 5 and 40, if not given.
    compare: a file with the JSON of an earlier report. The table then has ratios, and `raise_for_failure`
        raises if the median of one is above `fail_above`, which is 1.10 if not given. Latencies from Python
        are not compared.

    Raises UsageError for arguments that are wrong, and for a `compare` of another format or another model;
    ArchiveError and UnavailableError as `kit.load` does.
    """
    options = ["--engine", engine, "--device", device, "--method", method]
    options += [f"--seconds={seconds}"]
    options += [f"--fail-above={fail_above}"] if fail_above is not None else []
    options += ["--target", target] if target else []
    options += [f"--batch={','.join(map(str, batches))}"] if batches else []
    options += [f"--threads={','.join(map(str, threads))}"] if threads else []
    options += [f"--starts={starts}"] if starts is not None else []
    options += ["--compare", os.fspath(compare)] if compare is not None else []
    within = configuration.threads
    options += [f"--operation-threads={within}"] if within is not None else []
    options += configuration_options(replace(configuration, threads=None))
    report = _run_predictor(os.fspath(path), options)
    report.document["python"] = _latencies(os.fspath(path), report.document, seconds)
    return replace(report, table=report.table + _table(report.document["python"]))


def _run_predictor(path: str, options: Sequence[str]) -> BenchReport:
    with tempfile.TemporaryDirectory(prefix="kit-") as directory:
        result = Path(directory, "result.json")
        command = [find_predictor(), "bench", path, *options, "--output", str(result)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        beyond = done.returncode == ParityError.exit_code and result.exists()
        if done.returncode != 0 and not beyond:
            raise error_of(done)
        for line in done.stderr.splitlines():
            if line.startswith("predictor: warning: "):
                warnings.warn(line.removeprefix("predictor: warning: "), ArchiveWarning, stacklevel=3)
            elif not line.startswith("predictor: error: "):
                print(line, file=sys.stderr)
        failure = str(error_of(done)) if beyond else ""
        return BenchReport(json.loads(result.read_text()), done.stdout, failure)


def _latencies(path: str, document: dict[str, Any], seconds: float) -> list[dict[str, Any]]:
    """Of calls through the binding, for the same program and the same sizes."""
    program, method = document["program"], document["model"]["method"]
    archive = Archive(path)
    cases = [inputs for inputs, _ in archive.cases(method)] if _has_cases(archive, method) else []
    if not cases:
        return []
    with warnings.catch_warnings():
        # What there is to warn of has been said for predictor.
        warnings.simplefilter("ignore", ArchiveWarning)
        model = load(
            archive,
            program["engine"],
            program["device"],
            method,
            Configuration(**program["configuration"]),
            target=program["target"],
        )
    results = []
    for one in document["latency"]:
        assert model.signature is not None
        inputs = inputs_of(model.signature, cases, one["sizes"])
        results.append({"sizes": one["sizes"], **_latency(model, inputs, seconds)})
    return results


def _latency(model: Model, inputs: list[Tensor], seconds: float) -> dict[str, Any]:
    assert model.signature is not None
    call = model.signature.call
    args, kwargs = restore(call.args, inputs), restore(call.kwargs, inputs)
    model.warm_up(*args, **kwargs)
    return measure_latency(lambda: model(*args, **kwargs), seconds).to_dict()


def _has_cases(archive: Archive, method: str) -> bool:
    return archive.manifest is not None and archive.manifest.method(method).cases > 0


def _table(latencies: list[dict[str, Any]]) -> str:
    heading = "\nLatency of a call of kit.load(...) from Python, µs\n"
    if not latencies:
        return heading + "  not measured: there are no golden cases\n"
    names = ("p50", "p90", "p99", "min", "max")
    rows = [["", *names, "calls", ""]]
    for one in latencies:
        known = one["microseconds"]
        sizes = ", ".join(f"{name} = {size}" for name, size in one["sizes"].items()) or "its one size"
        values = [f"{known[name]:,.2f}" for name in names]
        values[0] += f" ({known['low']:,.2f}–{known['high']:,.2f})"
        unstable = "" if one["stable"] else f"not stable within 2 % after {one['seconds']:.2f} s"
        rows.append([sizes, *values, f"{one['calls']:,}", unstable])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return heading + "".join(f"  {line}\n" for line in lines)
