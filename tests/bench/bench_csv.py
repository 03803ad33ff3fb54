"""Rows per second and peak memory of `predictor run` on a large CSV file, against pandas and torch.

Usage: python tests/bench/bench_csv.py PREDICTOR MODEL [--rows N] [--rounds N] [--threads N]
           [--alone] [--one-core] [--output FILE.json]

Whole processes are measured, start-up included, as they would be used in a script. They take turns, and the
ratio is formed within a round. MODEL is the archive of examples/mlp: three columns in, one out.

Only the standard library is used here: Linux counts the peak memory of the process that starts another as the
other's too, so this one must stay small.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

FOLDER = Path("build/bench")
ONCE = 1_000_000  # rows that are made; a larger file has them over and over
PEER = Path(__file__).with_name("pandas_peer.py")


@dataclass
class Contestant:
    """A command, and what its runs took."""

    name: str
    command: list[str]
    output: Path
    seconds: list[float] = field(default_factory=list)
    peak_bytes: list[int] = field(default_factory=list)

    def run(self) -> None:
        self.output.unlink(missing_ok=True)
        start = time.perf_counter()
        process = os.posix_spawnp(self.command[0], self.command, os.environ)
        _, status, usage = os.wait4(process, 0)
        self.seconds.append(time.perf_counter() - start)
        self.peak_bytes.append(usage.ru_maxrss * 1024)
        if code := os.waitstatus_to_exitcode(status):
            sys.exit(f"bench_csv: {self.name} failed with exit code {code}: {' '.join(self.command)}")


def make_input(rows: int) -> Path:
    """A CSV file of `rows` rows x1, x2, x3 ~ N(0, 1), six digits behind the point; made once."""
    path = FOLDER / f"rows-{rows}.csv"
    if rows > ONCE and rows % ONCE == 0:
        _repeat(make_input(ONCE), path, rows // ONCE)
    elif not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        gauss = random.Random(0).gauss
        unfinished = path.with_suffix(".part")
        with unfinished.open("w") as file:
            file.write("x1,x2,x3\n")
            for _ in range(rows):
                file.write(f"{gauss(0, 1):.6f},{gauss(0, 1):.6f},{gauss(0, 1):.6f}\n")
        unfinished.rename(path)
    return path


def _repeat(source: Path, path: Path, times: int) -> None:
    """The rows of `source` so many times."""
    if path.exists():
        return
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file, source.open("rb") as rows:
        header = rows.readline()
        file.write(header)
        for _ in range(times):
            rows.seek(len(header))
            shutil.copyfileobj(rows, file)
    unfinished.rename(path)


def check_rows(output: Path, rows: int) -> None:
    """That a row came out for each that went in."""
    with output.open("rb") as file:
        count = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b"")) - 1
    if count != rows:
        sys.exit(f"bench_csv: {rows} rows went in and {count} came out")


def check_same(ours: Path, theirs: Path, rows: int) -> float:
    """The largest difference between the two outputs, which must be rounding alone."""
    largest = 0.0
    with ours.open() as a, theirs.open() as b:
        if next(a) != next(b):
            sys.exit(f"bench_csv: the headers differ: {ours}, {theirs}")
        count = 0
        for x, y in zip(a, b, strict=True):
            largest = max(largest, abs(float(x) - float(y)))
            count += 1
    if count != rows:
        sys.exit(f"bench_csv: {rows} rows went in and {count} came out")
    if largest > 1e-4:
        sys.exit(f"bench_csv: predictor and pandas differ by {largest:g}: {ours}, {theirs}")
    return largest


def report(contestants: list[Contestant], rows: int) -> None:
    for one in contestants:
        rates = sorted(rows / seconds for seconds in one.seconds)
        print(
            f"{one.name:<18} {median(one.seconds):7.2f} s   {median(rates):11,.0f} rows/s "
            f"({rates[0]:,.0f}–{rates[-1]:,.0f})   peak {max(one.peak_bytes) / 1e6:6.0f} MB"
        )
    if len(contestants) == 1:
        return
    ours, theirs = contestants
    ratios = sorted(b / a for a, b in zip(ours.seconds, theirs.seconds, strict=True))
    print(f"predictor is {median(ratios):.1f} times as fast ({ratios[0]:.1f}–{ratios[-1]:.1f})")


def main() -> None:
    parser = argparse.ArgumentParser(description="predictor run against pandas and torch, on a CSV file")
    parser.add_argument("predictor")
    parser.add_argument("model")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="intra-op threads of torch in both")
    parser.add_argument("--alone", action="store_true", help="measure predictor run alone")
    parser.add_argument("--one-core", action="store_true", help="let all run on one core")
    parser.add_argument("--output", type=Path, help="write what was measured as JSON, too")
    options = parser.parse_args()

    source = make_input(options.rows)
    if options.one_core:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # processes that are started inherit it
    ours, theirs = FOLDER / "predictor.csv", FOLDER / "pandas.csv"
    threads = str(options.threads)
    run = ["run", options.model, "--threads", threads, "--input", str(source), "--output", str(ours)]
    contestants = [
        Contestant("predictor run", [options.predictor, *run], ours),
        Contestant(
            "pandas and torch",
            [sys.executable, str(PEER), options.model, str(source), str(theirs), threads],
            theirs,
        ),
    ]
    if options.alone:
        contestants.pop()
    for one in contestants:  # a first run that counts for nothing: files come into the page cache
        one.run()
        one.seconds.clear()
        one.peak_bytes.clear()
    if options.alone:
        check_rows(ours, options.rows)
        difference = ""
    else:
        difference = f", difference: {check_same(ours, theirs, options.rows):.1g}"
    core = ", on one core" if options.one_core else ""
    print(f"{options.rows:,} rows, {options.rounds} rounds, threads: {threads}{core}{difference}")
    for i in range(options.rounds):
        for one in contestants if i % 2 == 0 else reversed(contestants):
            one.run()
    report(contestants, options.rows)
    if options.output is not None:
        write(options.output, contestants, options)


def write(path: Path, contestants: list[Contestant], options: argparse.Namespace) -> None:
    """Seconds and peak bytes of each run."""
    found = {"rows": options.rows, "threads": options.threads, "one_core": options.one_core}
    runs = [{"name": one.name, "seconds": one.seconds, "peak_bytes": one.peak_bytes} for one in contestants]
    path.write_text(json.dumps({**found, "ways": runs}, indent=1) + "\n")


if __name__ == "__main__":
    main()
