#!/usr/bin/env python3
"""Make the programs of models, measure them, and write the table of docs/native.md.

    .venv/bin/python tools/programs.py                        native programs of all models
    .venv/bin/python tools/programs.py mlp bert               of some
    .venv/bin/python tools/programs.py mlp --programs aoti    others; aoti takes up to a minute a model
    .venv/bin/python tools/programs.py --list                 the names of the models

What is measured is kept in docs/native.json, so that the table may be made in parts; each run replaces what
it measures anew. Each model is exported in a fork of this process, and nothing is downloaded.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/native.md"
RESULTS = ROOT / "docs/native.json"
LIMIT = 900  # seconds for one program of one model
ENGINES = ("torchscript", "native", "aoti")
TARGET = "x86-64-v3"
EXAMPLES = {"mlp": "examples/mlp/recipe.py:recipe", "digits": "examples/digits/recipe.py:recipe"}
ARCHITECTURES = (
    "bert",
    "distilbert",
    "gpt2",
    "llama",
    "t5_encoder",
    "vit",
    "swin",
    "resnet",
    "convnext",
    "mobilenet_v2",
    "whisper_encoder",
    "wav2vec2",
)
BEGIN, END = "<!-- the table of tools/programs.py -->\n", "<!-- end of the table -->\n"
# One thread: a fork must not inherit threads.
QUIET = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "OMP_NUM_THREADS": "1"}

sys.path[:0] = [str(ROOT / "python"), str(ROOT)]

Result = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="a model; by default all")
    parser.add_argument("--programs", default="native", help="engines, with commas: " + ",".join(ENGINES))
    parser.add_argument("--list", action="store_true", help="print the names of the models")
    parser.add_argument("--table", action="store_true", help="write the table anew from what was measured")
    options = parser.parse_args()
    os.environ.update(QUIET)
    warnings.simplefilter("ignore")
    models = all_models()
    if options.list:
        print("\n".join(models))
        return 0
    engines = [engine for engine in ENGINES if engine in options.programs.split(",")]
    unknown = [name for name in options.names if name not in models]
    if unknown or len(engines) != len(options.programs.split(",")):
        parser.error(f"there is no {', '.join(unknown) or options.programs}; see --list and --help")
    for name in [] if options.table else options.names or models:
        for engine in engines:
            keep(run_one(name, models[name], engine))
    write_table(list(models))
    return 0


def all_models() -> dict[str, tuple[str, str]]:
    """Where the recipe of each model is: "example", "architecture" or "zoo", and its name there."""
    from tests.parity.zoo import ZOO

    found = {name: ("example", place) for name, place in EXAMPLES.items()}
    found |= {name: ("architecture", name) for name in ARCHITECTURES}
    return found | {name: ("zoo", name) for name in sorted(ZOO)}


def recipe_of(kind: str, place: str) -> Any:
    from kit.recipe import run_recipe

    if kind == "example":
        return run_recipe(str(ROOT / place))
    if kind == "zoo":
        from tests.parity.zoo import ZOO

        return ZOO[place]()
    from tests.parity.architectures import ARCHITECTURES as published

    return published[place]()


def run_one(name: str, where: tuple[str, str], engine: str) -> Result:
    """What came of one program of one model. What kit says is a result; anything else ends this script."""
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe(duplex=False)
    process = fork.Process(target=lambda: theirs.send(reported(where, engine)))
    process.start()
    theirs.close()
    result: Result = {"refused": f"it took more than {LIMIT} s"}
    try:
        if ours.poll(LIMIT):
            result = ours.recv()
    except EOFError:
        process.join()
        raise SystemExit(f"{name}, {engine}: its process ended with {process.exitcode}; see above") from None
    finally:
        process.kill()
        process.join()
    said = result.get("refused") or f"{result['micros']:.1f} µs, {result['bytes'] / 1024:.0f} KiB"
    print(f"{name}: {engine}: {said}", file=sys.stderr, flush=True)
    return {"name": name, "kind": where[0], "engine": engine, "on": date(), **result}


def reported(where: tuple[str, str], engine: str) -> Result:
    import kit

    try:
        return measured(recipe_of(*where), engine)
    except kit.Error as error:
        return {"refused": told(error)}


def measured(recipe: Any, engine: str) -> Result:
    """Export one program, and let it and the eager model take turns on the example."""
    import torch

    import kit
    from kit.exporter import export_with_report
    from kit.state import evaluating
    from tests.parity.support import arguments, read_cases

    torch.set_num_threads(1)
    seconds = compile_clock()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.pt")
        done = export_with_report(recipe, path=path, programs=(engine,), targets=targets_of(engine))
        model = kit.load(path, engine=engine)
        inputs = read_cases(path)[0][0]
        args, kwargs = arguments(recipe, inputs)
        with torch.no_grad(), evaluating(module_of(recipe)):
            own, eager = in_turns(
                lambda: model.predict(list(inputs.values())), lambda: recipe.model(*args, **kwargs)
            )
        size = size_of(done.archive, engine)
    differences = [
        found.max_abs
        for row in done.report.rows
        for column, found in row.differences.items()
        if column.startswith(engine)
    ]
    return {
        "micros": own,
        "eager_micros": eager,
        "bytes": size,
        "seconds": sum(seconds),
        "max_abs": max(differences, default=0.0),
    }


def module_of(recipe: Any) -> Any:
    from kit.eager import module_of as found

    return found(recipe.model)


def targets_of(engine: str) -> tuple[str, ...]:
    return () if engine == "torchscript" else (TARGET,)


def compile_clock() -> list[float]:
    """A list to which the seconds of each compile are added from now on."""
    from kit.programs import aoti, native

    seconds: list[float] = []

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any) -> Any:
            started = time.monotonic()
            try:
                return function(*args)
            finally:
                seconds.append(time.monotonic() - started)

        return run

    for engine in (native, aoti):
        engine.compile_method = timed(engine.compile_method)  # type: ignore[attr-defined]
    return seconds


def size_of(archive: Any, engine: str) -> int:
    """Bytes of what the program needs: the whole archive for torchscript, else its code and its weights."""
    if engine == "torchscript":
        return int(archive.size)
    sizes = {str(info.name): int(info.size) for info in archive.manifest.members}
    (program,) = (one for one in archive.manifest.programs if one.engine == engine)
    methods = program.methods.values()
    constants = {constant for one in methods for constant in one.constants}
    return sum(sizes[one.member] for one in methods) + sum(int(constant.size) for constant in constants)


def in_turns(one: Callable[[], Any], other: Callable[[], Any]) -> tuple[float, float]:
    """The median time of each in microseconds; they take turns, so that what slows the machine slows both."""
    counts = [calls_in(0.02, function) for function in (one, other)]
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(15):
        for function, count, found in zip((one, other), counts, times, strict=True):
            found.append(time_of(function, count) / count * 1e6)
    return statistics.median(times[0]), statistics.median(times[1])


def calls_in(seconds: float, function: Callable[[], Any]) -> int:
    time_of(function, 3)
    return max(1, int(seconds / max(time_of(function, 1), 1e-7)))


def time_of(function: Callable[[], Any], count: int) -> float:
    """Seconds of the processor's, which do not count while others have it."""
    started = time.process_time()
    for _ in range(count):
        function()
    return time.process_time() - started


def told(error: Exception) -> str:
    """What an error says is wrong: without the remedy and the caller, and with paths below site-packages."""
    problem = str(error).partition("; ")[0]
    return re.sub(r" \(called from [^)]*\)", "", re.sub(r"\S*site-packages/", "", problem))


def date() -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))))


def known_results() -> dict[str, Result]:
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}


def keep(result: Result) -> None:
    known = {**known_results(), f"{result['name']} {result['engine']}": result}
    text = json.dumps(dict(sorted(known.items())), ensure_ascii=False, indent=1)
    RESULTS.write_text(text + "\n", encoding="utf-8")


def write_table(names: list[str]) -> None:
    """The part of the page between the marks; the page is made if it is not there."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else f"# Native programs\n\n{BEGIN}{END}"
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE}: the marks {BEGIN.strip()} and {END.strip()} are missing; put them back")
    PAGE.write_text(before + begin + "\n".join(table(names)) + "\n" + end + after, encoding="utf-8")


def table(names: list[str]) -> list[str]:
    known = known_results()
    rows = ["| model | eager µs | " + " | ".join(f"{engine} µs" for engine in ENGINES) + " | size KiB "]
    rows[0] += "| compiled in s | worst difference |"
    rows.append("|---|--:|" + "--:|" * len(ENGINES) + "--:|--:|--:|")
    refusals = []
    for name in names:
        found = {engine: known.get(f"{name} {engine}", {}) for engine in ENGINES}
        if not any(found.values()):
            continue
        eager = [one["eager_micros"] for one in found.values() if "eager_micros" in one]
        cells = [name, f"{statistics.median(eager):.1f}" if eager else ""]
        cells += [cell(found[engine], "micros", "{:.1f}") for engine in ENGINES]
        cells += [each(found, "bytes", lambda size: f"{size / 1024:.0f}")]
        cells += [each(found, "seconds", lambda seconds: f"{seconds:.0f}")]
        cells += [each(found, "max_abs", lambda value: f"{value:.1g}")]
        rows.append(f"| {' | '.join(cells)} |")
        refusals += [
            f"- {name}, {engine}: {one['refused']}" for engine, one in found.items() if "refused" in one
        ]
    return [*rows, *(["", "Refused:", "", *refusals] if refusals else [])]


def cell(result: Result, key: str, form: str) -> str:
    if "refused" in result:
        return "refused"
    return form.format(result[key]) if result else ""


def each(found: dict[str, Result], key: str, form: Callable[[Any], str]) -> str:
    """One number for each engine, in their order; a dash where there is none."""
    numbers = [form(one[key]) if key in one else "–" for one in found.values()]
    return " / ".join(numbers)


if __name__ == "__main__":
    sys.exit(main())
