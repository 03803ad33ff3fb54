#!/usr/bin/env python3
"""Write docs/benchmarks.md, its plot and its data from what tests/bench/bench_works.py has measured.

.venv/bin/python tools/benchmarks.py build/bench/results.json [--output docs/benchmarks.md]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "python"), str(ROOT)]

from kit.errors import UnavailableError  # noqa: E402
from kit.peers.chart import chart_of  # noqa: E402
from kit.peers.plot import png  # noqa: E402
from kit.peers.report import best_of_kit, ratio_of, sizes_text, spread_text, time_text  # noqa: E402
from tests.bench.goals import Goal, goals_of  # noqa: E402

Document = dict[str, Any]

TITLES = {
    "mlp": "MLP",
    "mlp, 2 threads": "MLP, two threads",
    "chain": "relu(x·m1+m2)",
    "encoder": "Transformer encoder",
    "resnet18": "ResNet-18",
}
WORDS = {
    "mlp": "The model of examples/mlp, 3-8-16-1, whose batch may be 1 to 65,536.",
    "mlp, 2 threads": "The same with two threads within an operation, beside kit with one.",
    "chain": "Three matrices of 512×512.",
    "encoder": "Two layers, d = 128, 4 heads, 512 hidden units, 32 tokens, batch 1.",
    "resnet18": "Random weights, 224×224, batch 1.",
}
HEAD = """\
# Benchmarks

Kit beside what could run the same model instead. `make bench` wrote this page on {date} (UTC), on {cpu},
{cores} cores, {isa}; the numbers are in [{json}]({json}). Another machine gives other numbers: `make
bench` measures yours.

## What is to be reached, and what was

A ratio below 1 means that kit takes less time. In brackets are the bounds within which the median lies
with 95 % confidence.

"""
HOW = """
## How it was measured

- All ways run in one process, on the same inputs and with as many threads within an operation. They take
  turns: a round is a block of about 20 ms of each, in a random order. A value is the median of a block;
  calls of less than 20 µs are timed in groups that long. A ratio is formed within a round, and its median
  and bounds are those over all rounds.
- Before anything is timed, outputs are compared with those of the eager model, within kit's tolerances.
  Who disagrees is not measured.
- Each way runs in its fastest setting, found by a short trial: TorchScript as loaded, frozen and
  optimized for inference; ONNX Runtime with `run` and with IO binding, all graph optimizations, and no
  spinning where there is one thread; OpenVINO for latency, in float32, with a request whose tensors are
  set once; ExecuTorch with XNNPACK; the last three from files for varying sizes and for this size alone.
  Inputs are there beforehand, and outputs too where the interface takes them.
- "C++" and "C API" are timed in C++: kit::Model::predict, torch::jit::Method, OrtApi.Run and
  ov_infer_request_infer, the last two through the shared objects of their Python packages. "C interface"
  is kit_program_run of the extracted program, which writes into memory that is there, checks no names and
  makes no tensors: what kit::Model adds to it is the difference.
- Start to first prediction is the time from before a process is started until it has ended: `predictor
  run` against the smallest Python program that loads the model, predicts once and writes the outputs, and
  against the smallest program over ONNX Runtime's C API, which ends without tidying up. The files are in
  the page cache.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--output", type=Path, default=ROOT / "docs/benchmarks.md")
    options = parser.parse_args()
    results = json.loads(options.results.read_text(encoding="utf-8"))
    if not results.get("works"):
        sys.exit(f"{options.results}: nothing was compared yet; run tests/bench/bench_works.py")
    image = picture(results, options.output.with_suffix(".png"))
    data = options.output.with_suffix(".json")
    data.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    options.output.write_text(page(results, data.name, image), encoding="utf-8")
    for goal in goals_of(results):
        print(f"{goal.what}: {measured_text(goal)}, {goal.verdict}")
    return 0


def picture(results: Document, path: Path) -> str:
    """Draw the first work; gives the name of the file, or "" where there is nothing to draw it with."""
    document = results["works"].get("mlp")
    if document is None:
        return ""
    try:
        path.write_bytes(png(document))
    except UnavailableError as error:
        print(f"benchmarks: no plot: {error}", file=sys.stderr)
        return ""
    return path.name


def page(results: Document, data: str, image: str) -> str:
    """The whole page. data, image: names of the files beside it."""
    works = {name: results["works"][name] for name in TITLES if name in results["works"]}
    first = next(iter(works.values()))
    parts = [HEAD.format(date=max(one["host"]["date"] for one in works.values()), json=data, **host(first))]
    rows = [(goal.what, limit_text(goal), measured_text(goal), goal.verdict) for goal in goals_of(results)]
    parts.append(table(("goal", "limit", "measured", ""), rows))
    for name, document in works.items():
        parts += work(name, document, image if name == "mlp" else "")
        if name == "mlp" and results.get("c_start"):
            parts += starts(results["c_start"], ", in C")
    if results.get("csv"):
        parts += csv(results["csv"])
    parts.append(HOW)
    known = {name: version for one in works.values() for name, version in one["versions"].items()}
    parts.append(f"- Versions: {', '.join(f'{name} {version}' for name, version in known.items())}.\n")
    load = ", ".join(f"{TITLES[name]} {one['host']['load']:.2f}" for name, one in works.items())
    parts.append(f"- Load of the machine when each began: {load}.\n")
    return "".join(parts)


def host(document: Document) -> Document:
    return {name: document["host"][name] for name in ("cpu", "cores", "isa")}


def work(name: str, document: Document, image: str) -> list[str]:
    parts = [f"\n## {TITLES[name]}\n\n{WORDS[name]}\n"]
    if image:
        parts.append(f"\n![{chart_of(document).title}]({image})\n")
    for size in document["sizes"]:
        heading = f"\n### {sizes_text(size['sizes'])}\n" if len(document["sizes"]) > 1 else ""
        parts += [heading, "\n", of_size(size), *notes(size)]
    if name == "mlp":
        parts.append(overhead(document["sizes"][0]))
    if "starts" in document:
        parts += starts(document["starts"])
    return parts


def of_size(size: Document) -> str:
    best = best_of_kit(size)["name"]
    rows = []
    for way in sorted(size["ways"], key=lambda way: way["microseconds"]["median"]):
        found = ratio_of(size, best, way["name"])
        ratio = "" if found is None else spread_text(found, ".3f")
        name = f"**{way['name']}**" if way["kit"] else way["name"]
        rows.append((name, time_text(way["microseconds"]), ratio, way["difference"], way["setting"]))
    return table(("", "µs for a call", f"{best} over it", "differs from eager by", "setting"), rows)


def notes(size: Document) -> list[str]:
    texts = [] if size["stable"] else ["not all medians were stable within 2 % when the time was up"]
    texts += [f"{one['name']} was not measured: {one['reason']}" for one in size["absent"]]
    texts += [f"{way['name']} without {one}" for way in size["ways"] for one in way["refused"]]
    return [f"\n{size['rounds']} rounds{''.join(f'; {text}' for text in texts)}.\n"]


def overhead(size: Document) -> str:
    """What Python adds to a call of the runtimes that are called from C, too."""
    known = {way["name"]: way["microseconds"]["median"] for way in size["ways"]}
    texts = [
        f"{name} {known[python] - known[c]:.1f} of {known[python]:.1f} µs"
        for name in ("ONNX Runtime", "OpenVINO")
        if (c := f"{name} (C API)") in known and (python := f"{name} (Python)") in known
    ]
    if not texts:
        return ""
    return f"\nPython's part of a call from Python, {sizes_text(size['sizes'])}: {'; '.join(texts)}.\n"


def starts(found: Document, how: str = "") -> list[str]:
    rows = []
    for way in sorted(found["ways"], key=lambda way: way["milliseconds"]["median"]):
        ratio = next((one for one in found["ratios"] if one["over"] == way["name"]), None)
        text = "" if ratio is None else spread_text(ratio, ".4f")
        rows.append((way["name"], time_text(way["milliseconds"]), text))
    heading = f"\n### Start to first prediction{how}, {sizes_text(found['sizes'])}\n\n"
    absent = [f"\n{one['name']} was not measured: {one['reason']}.\n" for one in found["absent"]]
    return [heading, table(("", "ms", "predictor over it"), rows), f"\n{found['runs']} rounds.\n", *absent]


def csv(runs: Sequence[Document]) -> list[str]:
    rows = []
    for run in runs:
        for way in run["ways"]:
            rates = sorted(run["rows"] / seconds for seconds in way["seconds"])
            rows.append(
                (
                    way["name"],
                    f"{run['rows']:,}",
                    "one core" if run["one_core"] else "all cores",
                    f"{median(way['seconds']):.2f}",
                    f"{median(rates):,.0f} ({rates[0]:,.0f}–{rates[-1]:,.0f})",
                    f"{max(way['peak_bytes']) / 1e6:.0f}",
                )
            )
    words = (
        "\n## predictor run on CSV\n\nThree columns in, one out, with the native program of the MLP; whole "
        "processes, one thread within\nan operation. On all cores, reading and writing may have one of their "
        "own. In brackets are the slowest and the\nfastest run.\n\n"
    )
    return [words, table(("", "rows", "on", "s", "rows in a second", "peak memory, MB"), rows)]


def limit_text(goal: Goal) -> str:
    return f"{'at most' if goal.most else 'at least'} {goal.limit:,.7g}"


def measured_text(goal: Goal) -> str:
    if goal.measured is None:
        return "–"
    one = goal.measured
    form = ",.0f" if one.median >= 1000 else ".3f"
    return f"{one.median:{form}} ({one.low:{form}}–{one.high:{form}})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    # A bar in a cell would end it.
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
