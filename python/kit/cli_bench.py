"""The options of `python -m kit bench`; `predictor bench` has the same."""

from __future__ import annotations

import argparse

from kit.cli_configuration import add_configuration
from kit.method import FORWARD


def add_bench_options(parser: argparse.ArgumentParser) -> None:
    """Add the archive and the options."""
    parser.add_argument("archive", metavar="MODEL", help="the archive")
    parser.add_argument(
        "--engine", default="auto", metavar="E", help="auto, torchscript, aoti or native (default: auto)"
    )
    parser.add_argument(
        "--target",
        default="",
        metavar="T",
        help="what the program was compiled for, as x86-64-v3 (default: the best for this host)",
    )
    parser.add_argument("--device", default="cpu", metavar="D", help="cpu, cuda or cuda:N (default: cpu)")
    parser.add_argument(
        "--method", default=FORWARD, metavar="M", help="the method of the model (default: forward)"
    )
    parser.add_argument(
        "--batch",
        type=_numbers,
        default=[],
        dest="batches",
        metavar="N[,N...]",
        help="rows in a call (default: those of the golden cases)",
    )
    parser.add_argument(
        "--threads",
        type=_numbers,
        default=[],
        dest="callers",
        metavar="N[,N...]",
        help="threads that call the model at once (default: 1 and the number of cores)",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=1.0,
        metavar="S",
        help="the most that a figure takes (default: %(default)s)",
    )
    parser.add_argument(
        "--starts",
        type=int,
        metavar="N",
        help="how many fresh processes are started (default: 5 to 40; with --peers 7, and 0 for none)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--compare", metavar="FILE", help="print ratios to an earlier result, a JSON file")
    parser.add_argument(
        "--fail-above",
        type=float,
        metavar="RATIO",
        help="with --compare: exit with code 5 if a ratio is above this (default: 1.10)",
    )
    parser.add_argument(
        "--peers",
        metavar="RECIPE",
        help="compare instead with eager torch, TorchScript, libtorch, ONNX Runtime, OpenVINO and "
        "ExecuTorch, each where it is installed; RECIPE is what MODEL was exported from, path.py:function",
    )
    parser.add_argument(
        "--plot",
        metavar="PREFIX",
        help="with --peers: write PREFIX.png (needs matplotlib) and PREFIX.html, latency against batch size",
    )
    add_configuration(parser, threads="--operation-threads")


def _numbers(text: str) -> list[int]:
    """ "1,64": whole numbers."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not whole numbers with commas between") from None
