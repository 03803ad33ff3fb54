"""Writes the archives that the C++ tests load: python tests/make_archives.py OUTDIR

mlp.pt       x: float32[batch, 3] -> output: float32[batch, 1], batch 1 to 4096; weights as initialised
pair.pt      a: float32[batch, 3], b: int64[batch] -> sum: float32[batch, 3], count: int64[batch]
fixed.pt     x: float32[2, 3] -> output: float32[2, 3]
empty_ok.pt  x: float32[batch, 3] -> output: float32[batch, 2], batch 0 to 16
tiny.pt      x: float32[2] -> output: float32[1]; two parameters, one case
methods.pt   forward: x: float32[batch, 3] -> output: float32[batch, 1], as mlp.pt; and
             hidden:  x: float32[batch, 3] -> output: float32[batch, 16], its last layer but one
engines.pt   as mlp.pt, with programs for all engines
scores.pt    tests/aoti_archive.py, with an aoti program; beside it scores.other.safetensors, other weights
             for it and their cases, and scores.wrong.safetensors, weights with the cases of others
plain.pt     x: float32[n, 3] -> float32[n, 2]; a TorchScript archive of torch's own, without a manifest
differs.pt   mlp.pt with other outputs in its golden cases, and digests that say they are right
future.pt    mlp.pt with a manifest of format 999
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

# The build runs this file as a script, so the repository is not on the path yet.
# ruff: noqa: E402
sys.path[:0] = [str(Path(__file__).parents[1])]

from examples.mlp.recipe import Mlp

import kit
from tests import aoti_archive
from tests.rewrite import CASES, edit_manifest, edit_member, rewrite

BATCH = kit.Dim("batch", 1, 4096)


class Pair(nn.Module):
    """sum = a + b for each row, count = 2 · b."""

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        return a + b.unsqueeze(1), b * 2


class TwoMethods(Mlp):
    """The MLP, and what comes before its last layer."""

    def hidden(self, x: Tensor) -> Tensor:
        return self.layers[:-1](x)


def mlp() -> kit.Recipe:
    return kit.Recipe(Mlp(), args=(torch.randn(2, 3),), name="mlp", dynamic={"x": {0: BATCH}})


def pair() -> kit.Recipe:
    return kit.Recipe(
        Pair(),
        args=(torch.randn(2, 3), torch.randint(-9, 10, (2,))),
        name="pair",
        dynamic={"a": {0: BATCH}, "b": {0: BATCH}},
        names={"outputs": ["sum", "count"]},
    )


def fixed() -> kit.Recipe:
    return kit.Recipe(nn.Tanh(), args=(torch.randn(2, 3),), name="fixed", names={"inputs": ["x"]}, cases=2)


def empty_ok() -> kit.Recipe:
    cases = [(torch.randn(rows, 3),) for rows in (2, 0, 1, 16)]
    dims = {"input": {0: kit.Dim("batch", 0, 16)}}
    return kit.Recipe(nn.Linear(3, 2), args=cases[0], name="empty_ok", dynamic=dims, cases=cases)


def tiny() -> kit.Recipe:
    return kit.Recipe(nn.Linear(2, 1, bias=False), args=(torch.randn(2),), name="tiny", cases=1)


def methods() -> kit.Recipe:
    x, dynamic = torch.randn(2, 3), {"x": {0: BATCH}}
    further = {"hidden": kit.Method(x, dynamic=dynamic, cases=3)}
    return kit.Recipe(TwoMethods(), args=x, name="methods", dynamic=dynamic, methods=further)


RECIPES: tuple[Callable[[], kit.Recipe], ...] = (mlp, pair, fixed, empty_ok, tiny, methods)


def save_plain(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
        torch.jit.save(torch.jit.trace(nn.Linear(3, 2).eval(), torch.randn(4, 3)), path)


def with_other_outputs(cases: bytes) -> bytes:
    """Every output a little more than it should be, beyond any tolerance."""
    tensors = safetensors.torch.load(cases)
    return safetensors.torch.save(
        {name: t + 0.5 if ".outputs." in name else t for name, t in tensors.items()}
    )


def make_archives(folder: Path) -> None:
    """Writes all of them into `folder`, which is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(7)
        for recipe in RECIPES:
            kit.export(recipe(), path=folder / f"{recipe.__name__}.pt")
        programs = ("torchscript", "native", "aoti")
        kit.export(mlp(), path=folder / "engines.pt", programs=programs, targets=(aoti_archive.TARGET,))
        aoti_archive.write(folder / "scores.pt")
        aoti_archive.write_weights(folder)
        save_plain(folder / "plain.pt")
    mlp_path = folder / "mlp.pt"
    rewrite(mlp_path, folder / "differs.pt", edit_member(CASES, with_other_outputs), digests=True)
    rewrite(mlp_path, folder / "future.pt", edit_manifest(lambda manifest: manifest.update(format=999)))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python tests/make_archives.py OUTDIR")
    make_archives(Path(sys.argv[1]))
