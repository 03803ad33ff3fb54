#!/usr/bin/env python3
"""Put loaded models under stress, and write what came of it into docs/threads.md.

    .venv/bin/python tools/endure.py                       all campaigns of all engines, some ten minutes
    .venv/bin/python tools/endure.py threads cycles        some of them
    .venv/bin/python tools/endure.py --engine native       of some engines

Each campaign runs in a process of its own, build/default/endure, on the MLP of examples/mlp with weights as
initialised (build/default/tests/cpp/archives/engines.pt). What is measured is kept in docs/threads.json, so
that the tables may be made in parts. The exit code is 1 if a result was wrong or something was left behind.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build/default"
ARCHIVE = BUILD / "tests/cpp/archives/engines.pt"
PAGE = ROOT / "docs/threads.md"
RESULTS = ROOT / "docs/threads.json"
ENGINES = ("native", "torchscript", "aoti")
CAMPAIGNS = ("threads", "cycles", "mixed")
THREADS = (1, 2, 8, 32)
PREDICTIONS = 1_000_000  # of each engine, in all
CYCLES, SECONDS = 100_000, 120
GROWTH = 5 << 20  # bytes
BEGIN, END = "<!-- the tables of tools/endure.py -->\n", "<!-- end of the tables -->\n"

Result = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("campaigns", nargs="*", metavar="CAMPAIGN", help=f"by default {', '.join(CAMPAIGNS)}")
    parser.add_argument("--engine", choices=ENGINES, action="append", help="by default all")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="the cycles of an engine end then")
    options = parser.parse_args()
    unknown = [one for one in options.campaigns if one not in CAMPAIGNS]
    if unknown:
        parser.error(f"there is no campaign {unknown[0]}; there are {', '.join(CAMPAIGNS)}")
    for path in (BUILD / "endure", ARCHIVE):
        if not path.is_file():
            parser.error(f"{path} is not there; build it first: make build")
    results: dict[str, Result] = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    for campaign in options.campaigns or CAMPAIGNS:
        for name, arguments in runs(campaign, options.engine or ENGINES, options.seconds):
            results[name] = run(name, arguments)
            RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    write_page(results)
    bad = [name for name, result in results.items() if trouble(name, result)]
    for name in bad:
        print(f"{name}: {trouble(name, results[name])}", file=sys.stderr)
    return 1 if bad else 0


def runs(campaign: str, engines: list[str] | tuple[str, ...], seconds: float) -> list[tuple[str, list[str]]]:
    """Names of runs, which begin with that of the campaign, and what the executable is told."""
    if campaign == "mixed":
        told = ["--engine", ",".join(ENGINES), "--threads", "8", "--count", "1000"]
        return [(f"mixed {seed}", [*told, "--seed", str(seed)]) for seed in (1, 2)]
    if campaign == "cycles":
        told = ["--count", str(CYCLES), "--seconds", str(seconds)]
        return [(f"cycles {engine}", ["--engine", engine, *told]) for engine in engines]
    count = str(PREDICTIONS // len(THREADS))
    return [
        (f"threads {engine} {threads}", ["--engine", engine, "--threads", str(threads), "--count", count])
        for engine in engines
        for threads in THREADS
    ]


def run(name: str, arguments: list[str]) -> Result:
    """One campaign in a process of its own, with a folder for temporary files of its own."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "TMPDIR": folder}
        command = [str(BUILD / "endure"), name.split()[0], str(ARCHIVE), *arguments]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 5):
        raise SystemExit(f"{name}: it ended with {done.returncode}; see above")
    result: Result = json.loads(done.stdout)
    print(f"{name}: {done.stdout.strip()}", file=sys.stderr, flush=True)
    return {**result, "on": machine()}


def machine() -> str:
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    day = datetime.datetime.now(tz=datetime.timezone.utc).date().isoformat()
    torch = version("torch").partition("+")[0]
    return f"{day}, {names[0] if names else platform.machine()}, {len(names)} processors, torch {torch}"


def left(result: Result, what: str) -> int:
    return int(result["after"][what] - result["before"][what])


def trouble(name: str, result: Result) -> str:
    """What was wrong, in words; empty if nothing was.

    How many calls there are at once, each with memory of its own, is a matter of chance: memory counts where
    there is one alone.
    """
    if result["wrong"]:
        return f"{result['wrong']} results were wrong"
    for what in ("descriptors", "files"):
        if left(result, what) > 0:
            return f"{left(result, what)} {what} were left behind"
    if name.startswith("cycles") and (left(result, "resident") > GROWTH or left(result, "mappings") > 0):
        return f"{left(result, 'resident')} bytes and {left(result, 'mappings')} mappings were left behind"
    return ""


def write_page(results: dict[str, Result]) -> None:
    tables = [threads_table(results), cycles_table(results), mixed_table(results)]
    text = "\n".join("\n".join([*table, ""]) for table in tables if len(table) > 2)  # more than its head
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}{text}{END}{rest.partition(END)[2]}")


def threads_table(results: dict[str, Result]) -> list[str]:
    lines = ["| engine | threads | predictions | with other bits | memory grew by | measured |"]
    lines.append("|---|--:|--:|--:|--:|---|")
    for engine in ENGINES:
        for threads in THREADS:
            one = results.get(f"threads {engine} {threads}")
            if one is not None:
                lines.append(
                    f"| {engine} | {threads} | {one['done']:,} | {one['wrong']} | {grown(one)} "
                    f"| {one['on']} |"
                )
    return lines


def cycles_table(results: dict[str, Result]) -> list[str]:
    lines = [
        "| engine | cycles | seconds | memory grew by | mappings | descriptors | temporary files | measured |"
    ]
    lines.append("|---|--:|--:|--:|--:|--:|--:|---|")
    for engine in ENGINES:
        one = results.get(f"cycles {engine}")
        if one is not None:
            counts = " | ".join(f"{left(one, what):+d}" for what in ("mappings", "descriptors", "files"))
            measured = f"{one['done']:,} | {one['seconds']:.0f} | {grown(one)}"
            lines.append(f"| {engine} | {measured} | {counts} | {one['on']} |")
    return lines


def mixed_table(results: dict[str, Result]) -> list[str]:
    lines = ["| seed | predictions | with other bits | descriptors | temporary files | measured |"]
    lines.append("|--:|--:|--:|--:|--:|---|")
    for name, one in sorted(results.items()):
        if name.startswith("mixed"):
            counts = " | ".join(f"{left(one, what):+d}" for what in ("descriptors", "files"))
            lines.append(f"| {name.split()[1]} | {one['done']:,} | {one['wrong']} | {counts} | {one['on']} |")
    return lines


def grown(result: Result) -> str:
    return f"{left(result, 'resident') / 1024:,.0f} KiB"


if __name__ == "__main__":
    sys.exit(main())
