"""The fused pointwise chain against the memory's speed, the MLP in CUDA graphs, and programs of AOTInductor.

Usage: python tests/bench/bench_gpu.py [--device D] [--output PAGE.md] [--junit RUNNER=FILE]…
           [--sizes 4096x4096,16384x4096] [--batches 1,64,4096] [--compiled chain,mlp,encoder,resnet18]
           [--rounds N] [--calls N]

Writes the page and, beside it, the same as JSON; without --output it prints the page. With --device cpu the
same runs on the CPU: there fused chains are interpreted, very slowly, so give it small sizes. It shows that
all works, and measures nothing worth knowing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TypeVar

import torch

import kit
from kit.errors import Error, UnavailableError
from tests.bench.gpu import compiled, mlp, models, pointwise, report
from tests.bench.gpu.goals import goals_of
from tests.bench.gpu.junit import read_counts
from tests.bench.gpu.machine import describe
from tests.bench.gpu.results import Compiled, Method, Mlp, Pointwise, Results, TestRun
from tests.bench.gpu.timers import WaitTimer, throughput_timer


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    try:
        results = run(options)
        if options.output is None:
            print(report.markdown(results, "gpu.json"))
        else:
            beside = report.write(results, options.output)
            print(f"bench_gpu: wrote {options.output} and {beside}")
    except Error as error:
        return _fail(str(error), error.exit_code)
    except OSError as error:
        return _fail(f"the report cannot be written: {error}", UnavailableError.exit_code)
    for goal in goals_of(results.pointwise) if results.device != "cpu" else []:
        print(f"bench_gpu: {goal.what}: {goal.measured.median:.3g}, {'met' if goal.met else 'MISSED'}")
    return 0


def run(options: argparse.Namespace) -> Results:
    """Exports the models and measures them."""
    device = find_device(options.device)
    how = Method(options.rounds, options.calls)
    busy, waiting = throughput_timer(device), WaitTimer(device)
    with tempfile.TemporaryDirectory() as folder:
        chain, network = Path(folder, "chain.pt"), Path(folder, "mlp.pt")
        kit.export(models.chain(), path=chain)
        kit.export(mlp.recipe(), path=network)
        return Results(
            datetime.now(timezone.utc).isoformat(timespec="seconds"),
            str(device),
            describe(device),
            how,
            tuple(_noted(pointwise.run(chain, size, device, busy, how)) for size in options.sizes),
            tuple(_noted(mlp.run(network, batch, device, waiting, how)) for batch in options.batches),
            tuple(
                _noted(one)
                for name in options.compiled
                for one in compiled.run(name, options.sizes, options.batches, device, waiting, how)
            ),
            tuple(options.junit),
        )


def find_device(text: str) -> torch.device:
    """The device of that name, as torch's current one. Raises UnavailableError if it is not here."""
    device = torch.device(text)
    if device.type == "cpu":
        return device
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    index = device.index or 0
    if index >= count:
        raise UnavailableError(
            f"the device {text} is not here: this host has {count} CUDA devices; give --device cpu to see "
            "that the benchmark works"
        )
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


Measured = TypeVar("Measured", Pointwise, Mlp, Compiled)


def _noted(one: Measured) -> Measured:
    """Says what was measured as soon as it was: a GPU may be gone before the page is written."""
    times = ", ".join(f"{way.name} {way.seconds.median * 1e6:.4g} µs" for way in one.ways)
    print(f"bench_gpu: {one.title}: {times}", file=sys.stderr, flush=True)
    return one


def _fail(message: str, code: int) -> int:
    print(f"bench_gpu: error: {message}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench_gpu", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--device", type=_device, default="cuda", metavar="D", help="cuda, cuda:N or cpu")
    parser.add_argument("--output", type=Path, metavar="PAGE.md", help="the page; PAGE.json comes beside it")
    parser.add_argument(
        "--junit",
        type=_junit,
        action="append",
        default=[],
        metavar="RUNNER=FILE",
        help="counts of tests to report",
    )
    parser.add_argument("--sizes", type=_sizes, default="4096x4096,16384x4096", metavar="RxC,…")
    parser.add_argument("--batches", type=_numbers, default="1,64,4096", metavar="N,…")
    parser.add_argument(
        "--compiled", type=_models, default=",".join(compiled.MODELS), metavar="NAME,…", help="or none"
    )
    parser.add_argument("--rounds", type=_number, default=50, metavar="N", help="default 50")
    parser.add_argument("--calls", type=_number, default=10, metavar="N", help="in a round, default 10")
    return parser


def _device(text: str) -> str:
    kind, _, index = text.partition(":")
    if text not in ("cpu", "cuda") and not (kind == "cuda" and index.isdecimal()):
        raise argparse.ArgumentTypeError(f"'{text}' is no device; give cpu, cuda or cuda:N")
    return text


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number of 1 or more")
    return int(text)


def _numbers(text: str) -> list[int]:
    return [_number(part) for part in text.split(",")]


def _models(text: str) -> list[str]:
    names = [] if text == "none" else text.split(",")
    for name in names:
        if name not in compiled.MODELS:
            raise argparse.ArgumentTypeError(f"'{name}' is none of {', '.join(compiled.MODELS)}")
    return names


def _sizes(text: str) -> list[tuple[int, int]]:
    found = []
    for part in text.split(","):
        rows, _, columns = part.partition("x")
        found.append((_number(rows), _number(columns)))
    return found


def _junit(text: str) -> TestRun:
    runner, _, path = text.partition("=")
    try:
        return read_counts(Path(path), runner)
    except (OSError, SyntaxError) as error:  # a ParseError of XML is a SyntaxError
        raise argparse.ArgumentTypeError(f"{text}: no JUnit file can be read there: {error}") from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
