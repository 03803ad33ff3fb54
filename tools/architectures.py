#!/usr/bin/env python3
"""Export every architecture of tests/parity/architectures and write what came of it to docs/architectures.md.

    .venv/bin/python tools/architectures.py                   all of them, into docs/architectures.md
    .venv/bin/python tools/architectures.py --only bert       some of them, as a table on the terminal
    .venv/bin/python tools/architectures.py --json            as JSON on the terminal

Each is exported in a fork of this process: none sees what another left behind, and one that crashes or takes
too long is a row of the table. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "docs/architectures.md"
LIMIT = 600  # seconds for one architecture
# One thread: the models are too small for more, and a fork must not inherit threads.
QUIET = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "OMP_NUM_THREADS": "1"}

sys.path[:0] = [str(ROOT / "python"), str(ROOT)]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", action="append", metavar="NAME", help="this architecture; may be repeated")
    parser.add_argument("--json", action="store_true", help="print JSON; write no file")
    options = parser.parse_args()
    os.environ.update(QUIET)
    warnings.simplefilter("ignore")
    results = run_all(chosen(parser, options.only))
    if options.json:
        print(json.dumps(results, ensure_ascii=False, indent=2))
    elif options.only:
        print("\n".join(table(results)))
    else:
        TABLE.write_text(page(results), encoding="utf-8")
        print(f"{TABLE.relative_to(ROOT)}: {counts(results)}")
    return int(any(result["outcome"] == "failed" for result in results))


def chosen(parser: argparse.ArgumentParser, only: list[str] | None) -> list[str]:
    from tests.parity.architectures import ARCHITECTURES

    unknown = sorted(set(only or []) - set(ARCHITECTURES))
    if unknown:
        parser.error(f"there is no architecture {', '.join(unknown)}; there are {', '.join(ARCHITECTURES)}")
    return list(dict.fromkeys(only)) if only else sorted(ARCHITECTURES)


def run_all(names: list[str]) -> list[dict[str, Any]]:
    results = []
    for name in names:
        result = run_one(name)
        text = result["difference"] if result["outcome"] == "agrees" else result["message"]
        print(f"{name}: {result['outcome']}: {text}", file=sys.stderr, flush=True)
        results.append(result)
    return results


def run_one(name: str) -> dict[str, Any]:
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe(duplex=False)
    process = fork.Process(target=lambda: theirs.send(reported(name)))
    process.start()
    theirs.close()
    failed = {"name": name, "outcome": "failed", "class": "", "signature": "", "seconds": 0.0}
    try:
        if ours.poll(LIMIT):
            result: dict[str, Any] = ours.recv()
            return result
        return {**failed, "message": f"it took more than {LIMIT} s"}
    except EOFError:
        process.join()
        return {**failed, "message": f"the process ended with exit code {process.exitcode}"}
    finally:
        process.kill()
        process.join()


def reported(name: str) -> dict[str, Any]:
    """What comes of one architecture; a fault of kit's, which is no kit.Error, is a row of the table too."""
    started = time.monotonic()
    try:
        return result_of(name)
    except Exception as error:
        seconds = time.monotonic() - started
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        message = f"{type(error).__name__}: {lines[0] if lines else ''}"
        row = {"name": name, "outcome": "failed", "class": "", "signature": "", "seconds": seconds}
        return {**row, "message": message}


def result_of(name: str) -> dict[str, Any]:
    """What comes of one architecture, in this process."""
    import kit
    from tests.parity.architectures import ARCHITECTURES

    recipe = ARCHITECTURES[name]()
    result: dict[str, Any] = {
        "name": name,
        "class": type(recipe.model).__name__,
        "signature": declared(recipe),
    }
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.pt")
        try:
            archive = kit.export(recipe, path=path)
            result["seconds"] = time.monotonic() - started
            report = kit.parity(ARCHITECTURES[name](), path)
        except kit.Error as error:
            result.setdefault("seconds", time.monotonic() - started)
            return {**result, "outcome": "refused", "error": type(error).__name__, "message": told(error)}
        result["bytes"] = archive.size
    if not report.passed:
        return {**result, "outcome": "failed", "message": f"kit parity: {report.worst}"}
    return {**result, "outcome": "agrees", "difference": report.worst, "cases": report.cases}


def declared(recipe: Any) -> str:
    """ "input_ids: int64[batch, length]; batch 1–8 tried at 2, 1, 3; length 2–64 tried at 7, 2, 12"."""
    inputs, sizes = [], {}
    for name, example in recipe.kwargs.items():
        dims = recipe.dynamic.get(name, {})
        shape = [dims[index].name if index in dims else str(size) for index, size in enumerate(example.shape)]
        inputs.append(f"{name}: {str(example.dtype).removeprefix('torch.')}[{', '.join(shape)}]")
        for index, dim in dims.items():
            sizes[f"{dim.name} {dim.min}–{dim.max}"] = [str(case[name].shape[index]) for case in recipe.cases]
    tried = [f"{dim} at {', '.join(values)}" for dim, values in sizes.items()]
    return "; ".join([", ".join(inputs), *tried])


def told(error: Exception) -> str:
    """What an error says is wrong: without the remedy and the caller, and with paths below site-packages."""
    problem = str(error).partition("; ")[0]
    return re.sub(r" \(called from [^)]*\)", "", re.sub(r"\S*site-packages/", "", problem))


def counts(results: list[dict[str, Any]]) -> str:
    outcomes = [result["outcome"] for result in results]
    verbs = {"agrees": "agree", "refused": "are refused", "failed": "failed"}
    return ", ".join(f"{outcomes.count(one)} {verb}" for one, verb in verbs.items() if one in outcomes)


def table(results: list[dict[str, Any]]) -> list[str]:
    rows = ["| architecture | class | inputs, dims and their sizes in the cases | result | s | KiB |"]
    rows.append("|---|---|---|---|--:|--:|")
    for one in results:
        if one["outcome"] == "agrees":
            result, size = f"agrees: {one['difference']}, {one['cases']} cases", f"{one['bytes'] / 1024:.0f}"
        else:
            result, size = f"{one['outcome']}: {one['message']}", ""
        cells = [one["name"], one["class"], one["signature"], result, f"{one['seconds']:.1f}", size]
        rows.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return rows


def page(results: list[dict[str, Any]]) -> str:
    from importlib.metadata import version

    import kit

    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
    date = time.strftime("%Y-%m-%d", time.gmtime(epoch))
    made_with = f"torch {version('torch').partition('+')[0]}, transformers {version('transformers')}"
    lines = [
        "# Published architectures",
        "",
        "Models as `transformers` publishes them, with small configurations and random weights, each called",
        "as its users call it. *Agrees*: the archive gives what the eager model gives, in Python, in",
        "`predictor` and through the binding, at sizes that were not traced (the first of the sizes is the",
        "example's); the number is the largest difference. *Refused*: `kit.export` wrote no archive, and",
        f"says why. {counts(results)}. Written on {date} by `tools/architectures.py` with",
        f"kit {kit.__version__}, {made_with}; the recipes are in `tests/parity/architectures/`.",
        "",
        *table(results),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
