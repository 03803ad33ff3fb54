"""Exports models whose native programs are built with a sanitizer:

    python tests/sanitized/make_archives.py OUTDIR SANITIZERS NAME…

SANITIZERS: as the compiler's -fsanitize takes them. NAME: "mlp", or a model of tests/parity: one of its
operations or of its zoo. Each is written to OUTDIR/NAME.pt.

Such a program can only be loaded by a process that has the sanitizer, which this one has not: it is exported
for more than this process takes the host to have, so that it is compiled and not run.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

# The build runs this file as a script, so the repository is not on the path yet.
# ruff: noqa: E402
sys.path[:0] = [str(Path(__file__).parents[2])]

import kit
from kit.programs.compiler import FLAGS
from tests.make_archives import mlp
from tests.parity.operations import OPERATIONS
from tests.parity.transforms import transforms
from tests.parity.zoo import ZOO

TARGET = "x86-64-v3"
RECIPES = {**ZOO, **OPERATIONS, "mlp": mlp, "transforms": transforms}


def make_archives(folder: Path, sanitizers: str, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["KIT_ISA"] = "x86-64-v2"
    os.environ[FLAGS] = f"-O1 -g1 -fno-omit-frame-pointer -fsanitize={sanitizers} -fno-sanitize-recover=all"
    warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
    for name in names:
        kit.export(RECIPES[name](), path=folder / f"{name}.pt", programs=("native",), targets=(TARGET,))


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit("usage: python tests/sanitized/make_archives.py OUTDIR SANITIZERS NAME…")
    make_archives(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
