"""A small model as an archive and as a work, for what is measured with real contenders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

import kit
from kit.archive import Archive
from kit.eager import Eager
from kit.peers.work import Files, Work
from kit.replay import known_manifest
from kit.state import evaluating
from kit.workload import inputs_of

RECIPE = f"{Path(__file__)}:recipe"


def recipe() -> kit.Recipe:
    """Two layers, seeded: x: float32[batch, 3] → output: float32[batch, 1], batch in 1..4096. It is the model
    of the archive that the fixture native_mlp makes."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
        return kit.Recipe(
            model,
            torch.randn(2, 3),
            name="mlp",
            names={"inputs": ["x"]},
            dynamic={"x": {0: kit.Dim("batch", 1, 4096)}},
        )


def other_weights() -> kit.Recipe:
    """The same signature, and another model."""
    made = recipe()
    with torch.no_grad():
        made.model[0].weight.mul_(2)
    return made


def other_signature() -> kit.Recipe:
    """A model that takes four columns."""
    return kit.Recipe(nn.Linear(4, 1), torch.randn(2, 4), names={"inputs": ["x"]})


@contextmanager
def work_of(path: Path, folder: Path, batch: int = 5, threads: int = 1) -> Iterator[Work]:
    """The archive of `recipe` at one size."""
    archive = Archive(path)
    method = known_manifest(archive).method("forward")
    made = recipe()
    with evaluating(made.model):
        eager = Eager(made)
        cases = [inputs for inputs, _ in archive.cases("forward")]
        inputs = inputs_of(method.signature, cases, {"batch": batch})
        expected = eager.run(inputs, "the inputs")
        files = Files(eager, method, archive, folder)
        yield Work(archive, method, eager, threads, files, {"batch": batch}, inputs, expected)
