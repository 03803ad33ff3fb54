"""The options of a command that say how the TorchScript engine runs; `predictor` has the same."""

from __future__ import annotations

import argparse

from kit.configuration import EXECUTORS, Configuration

_SWITCH = {"on": True, "off": False}


def add_configuration(parser: argparse.ArgumentParser, threads: str = "--threads") -> None:
    """Add the options; `configuration_of` reads them. `threads` is the one for those within an operation."""
    group = parser.add_argument_group("how the TorchScript engine runs (else as the archive recommends)")
    group.add_argument(
        "--fusion",
        choices=_SWITCH,
        help="chains of pointwise operations in one kernel; by default on for CUDA. On the CPU it is exact "
        "and very slow, for tests",
    )
    group.add_argument(
        "--executor",
        choices=EXECUTORS,
        help="profiling (watches the first call, then compiles), the default, or simple (compiles nothing)",
    )
    freeze = group.add_mutually_exclusive_group()
    freeze.add_argument("--freeze", action="store_const", const=True, help="fold the weights in as constants")
    freeze.add_argument(
        "--no-freeze", action="store_const", const=False, dest="freeze", help="do not (the default)"
    )
    group.add_argument(
        "--tf32",
        choices=_SWITCH,
        help="cuDNN may round float32 inputs of convolutions and recurrent layers to ten bits, for speed; "
        "off, if not given. aoti programs on CUDA, too",
    )
    for option, text in (
        (threads, "threads within an operation"),
        ("--interop-threads", "threads between operations"),
        ("--static-depth", "for how many sizes a fused kernel of its own is compiled; 2, if not given"),
        ("--dynamic-depth", "how often one for varying sizes is compiled after that; 10, if not given"),
    ):
        name = "threads" if option == threads else option.removeprefix("--").replace("-", "_")
        group.add_argument(option, type=int, dest=name, metavar="N", help=text)


def configuration_of(arguments: argparse.Namespace) -> Configuration:
    """What the options set. Raises UsageError for numbers out of range, and for fusion with the simple
    executor."""
    return Configuration(
        fusion=_SWITCH.get(arguments.fusion),
        executor=arguments.executor,
        freeze=arguments.freeze,
        tf32=_SWITCH.get(arguments.tf32),
        threads=arguments.threads,
        interop_threads=arguments.interop_threads,
        static_depth=arguments.static_depth,
        dynamic_depth=arguments.dynamic_depth,
    )
