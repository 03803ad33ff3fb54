"""Measures kit beside its peers on all works of `make bench`, and keeps what it found as JSON.

Usage: python tests/bench/bench_works.py PREDICTOR RESULTS.json [WORK…] [--seconds S]

Each work is exported and compared in processes of their own. RESULTS.json is written after each, so that
works may be measured one by one: one that is measured again replaces what was there. Without names it is all:
mlp, threads, chain, encoder, resnet18, csv.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path("build/bench")
FORMAT, VERSION = "kit-benchmarks", 1


@dataclass(frozen=True)
class Work:
    """A comparison: the recipe of tests/bench/works.py, programs beside torchscript, and options of bench."""

    title: str
    recipe: str
    programs: tuple[str, ...]
    options: tuple[str, ...]


WORKS = {
    "mlp": Work("mlp", "mlp", ("native", "aoti"), ("--batch", "1,64,1024,65536", "--starts", "9")),
    "threads": Work(
        "mlp, 2 threads",
        "mlp",
        ("native", "aoti"),
        ("--batch", "65536", "--operation-threads", "2", "--starts", "0"),
    ),
    "chain": Work("chain", "chain", ("native", "aoti"), ("--starts", "0")),
    "encoder": Work("encoder", "encoder", ("native", "aoti"), ("--starts", "0")),
    "resnet18": Work("resnet18", "resnet18", ("native", "aoti"), ("--starts", "0")),
}
CSV = "csv"
# Rows, and further options: the peer's runs take long, and are not needed twice.
CSV_RUNS = (
    (1_000_000, ("--rounds", "5")),
    (1_000_000, ("--rounds", "5", "--alone", "--one-core")),
    (10_000_000, ("--rounds", "6", "--alone", "--one-core")),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("predictor", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("works", nargs="*", metavar="WORK")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each contender and size (default 1)")
    options = parser.parse_args()
    unknown = [name for name in options.works if name not in (*WORKS, CSV)]
    if unknown:
        parser.error(f"there is no work {', '.join(unknown)}; give some of {', '.join((*WORKS, CSV))}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    os.environ["KIT_PREDICTOR"] = str(options.predictor.absolute())
    for name in options.works or (*WORKS, CSV):
        started = time.monotonic()
        if name == CSV:
            keep(options.results, {"csv": measure_csv(options.predictor)})
        else:
            work = WORKS[name]
            keep(options.results, {}, {work.title: compare(work, options.seconds)})
            if name == "mlp":
                keep(options.results, {"c_start": measure_c_start(options.predictor)})
        print(f"bench_works: {name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return 0


def compare(work: Work, seconds: float) -> dict[str, Any]:
    """Export the work if that was not done, and compare it with its peers."""
    archive, recipe = FOLDER / f"{work.recipe}.pt", f"tests.bench.works:{work.recipe}"
    programs = [part for name in work.programs for part in ("--program", name)]
    _run("-m", "kit.export", recipe, *programs, "--quiet", "-o", str(archive))
    command = ["-m", "kit", "bench", str(archive), "--peers", recipe, "--json", f"--seconds={seconds}"]
    document: dict[str, Any] = json.loads(_run(*command, *work.options))
    return document


def measure_c_start(predictor: Path) -> dict[str, Any] | None:
    """Start to first prediction against a program in C; None where ONNX Runtime is not installed."""
    if importlib.util.find_spec("onnxruntime") is None or importlib.util.find_spec("onnxscript") is None:
        return None
    script = str(Path(__file__).with_name("ort_start.py"))
    executable = str(predictor.with_name("bench_ort_start"))
    found: dict[str, Any] = json.loads(
        _run(script, str(predictor), executable, str(FOLDER / "mlp.pt"), "tests.bench.works:mlp")
    )
    return found


def measure_csv(predictor: Path) -> list[dict[str, Any]]:
    """Files of one and of ten million rows."""
    archive, output = FOLDER / "mlp.pt", FOLDER / "csv.json"
    if not archive.exists():
        _run("-m", "kit.export", "tests.bench.works:mlp", "--program", "native", "-q", "-o", str(archive))
    found = []
    for rows, options in CSV_RUNS:
        script = str(Path(__file__).with_name("bench_csv.py"))
        arguments = [str(predictor), str(archive), "--rows", str(rows), *options, "--output", str(output)]
        print(_run(script, *arguments), end="", flush=True)
        found.append(json.loads(output.read_text()))
    return found


def keep(path: Path, found: dict[str, Any], works: dict[str, Any] | None = None) -> None:
    """Put what was found in place of what the file has of it, or into a new one."""
    known: dict[str, Any] = {"format": FORMAT, "version": VERSION, "works": {}, "csv": []}
    if path.exists():
        known = json.loads(path.read_text(encoding="utf-8"))
        if (known.get("format"), known.get("version")) != (FORMAT, VERSION):
            sys.exit(f"bench_works: {path}: it is of another format; move it away, and measure again")
    known.update(found)
    known["works"].update(works or {})
    text = json.dumps(known, ensure_ascii=False, indent=1) + "\n"
    unfinished = path.with_suffix(".part")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def _run(*arguments: str) -> str:
    """What a Python process printed. Its messages are shown if it fails, and end this one."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.stderr.write(done.stderr[-4000:])
        sys.exit(f"bench_works: this failed with exit code {done.returncode}: {' '.join(arguments)}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
