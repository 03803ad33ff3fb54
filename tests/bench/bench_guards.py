"""What the guards add to an export, as a ratio to the replays on the golden cases and proofs.

Usage: python tests/bench/bench_guards.py [--rounds N] [NAME]…      NAME: of the zoo or of the architectures

Without names: all of the zoo, then some architectures as they are published.

Processor time of one thread is measured, after one export that warms up. The guards are all that comes before
the replays but the trace of the program itself, which an export without guards would need as well.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import torch

import kit
from kit import exporter, guard
from tests.parity.zoo import ZOO

PUBLISHED = ("bert", "t5_encoder", "gpt2", "llama", "vit", "resnet", "mobilenet_v2")
"""Of the architectures: encoders and decoders of text, models of pictures with attention and without."""


def recipe_of(name: str) -> Callable[[], kit.Recipe]:
    """The recipe of that name."""
    if name in ZOO:
        return ZOO[name]
    from tests.parity.architectures import ARCHITECTURES

    return ARCHITECTURES[name]


def ratio(recipe: Callable[[], kit.Recipe], folder: str) -> tuple[float, float]:
    """Seconds that the guards and that the replays took in one export."""
    spent: dict[str, float] = defaultdict(float)

    def timed(module: Any, name: str) -> Any:
        original = getattr(module, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            start = time.process_time()
            try:
                return original(*args, **kwargs)
            finally:
                spent[name] += time.process_time() - start

        return patch.object(module, name, call)

    model = recipe()
    with timed(exporter, "guarded"), timed(exporter, "prepare"), timed(exporter, "prove"):
        traced = vars(guard)["trace"]

        def trace(*args: Any) -> Any:
            start = time.process_time()
            try:
                return traced(*args)
            finally:
                spent["trace"] += time.process_time() - start
                spent["within"] = spent["guarded"]

        with patch.object(guard, "trace", trace):
            kit.export(model, path=Path(folder, "model.pt"))
    # A trace within the guards ended before they did, so nothing had been noted for them.
    inside = spent["trace"] if spent["within"] == 0 else 0
    return spent["guarded"] - inside, spent["prepare"] + spent["prove"]


def measured(title: str, names: Iterable[str], rounds: int) -> None:
    """Print the median of the ratio for each model and its range, and the ratio of all of them."""
    sums = [0.0, 0.0]
    ratios = []
    print(f"{title:30} guards / replays, median (least to greatest)")
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            recipe = recipe_of(name)
            ratio(recipe, folder)
            tries = [ratio(recipe, folder) for _ in range(rounds)]
            each = sorted(guards / replays for guards, replays in tries)
            for index, column in enumerate(zip(*tries, strict=True)):
                sums[index] += median(column)
            ratios.append(median(each))
            print(f"{name:30} {median(each):5.2f}  ({each[0]:.2f} to {each[-1]:.2f})")
    print(f"all: {sums[0] / sums[1]:.2f}; by model {min(ratios):.2f} to {max(ratios):.2f}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="exports of each (default 3)")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="which models (default: the zoo and some architectures)"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.names:
        measured("chosen", arguments.names, arguments.rounds)
        return
    measured("the zoo", ZOO, arguments.rounds)
    measured("architectures as published", PUBLISHED, arguments.rounds)


if __name__ == "__main__":
    main()
