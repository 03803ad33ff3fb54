"""Programs of AOTInductor against the TorchScript program of the same archive, fused where the device fuses.

Both run in kit's C++ engine, with inputs that lie on the device.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

import kit
from kit.compiling import default_targets
from tests.bench import works
from tests.bench.gpu import mlp, models, results
from tests.bench.gpu.contest import Call, Contestant, Timer, check_same, measure
from tests.bench.gpu.kernels import way
from tests.bench.gpu.results import Method
from tests.bench.gpu.samples import ratios
from tests.bench.gpu.words import words

WARM_UP = 20
TOLERANCE = 1e-2  # of the network with convolutions in TF32

MODELS = ("chain", "mlp", "encoder", "resnet18")

Inputs = Mapping[str, tuple[Tensor, ...]]  # by what they are


def _subject(
    name: str, sizes: Sequence[tuple[int, int]], batches: Sequence[int], device: torch.device
) -> tuple[kit.Recipe, Inputs]:
    if name == "chain":
        given = {f"{rows}×{columns}": (rows, columns) for rows, columns in sizes}
        return models.chain(), {what: models.matrices(*size, device) for what, size in given.items()}
    if name == "mlp":
        return mlp.recipe(), {f"batch {batch}": (_noise(device, batch, 3),) for batch in batches}
    if name == "encoder":
        return works.encoder(), {"1×32 tokens": (_noise(device, 1, 32, 128),)}
    resnet18 = replace(
        works.resnet18(),
        args=(_noise(torch.device("cpu"), 2, 3, 224, 224),),
        dynamic={"x": {0: kit.Dim("batch", 1, 32)}},
        tolerances={"float32": (TOLERANCE, TOLERANCE)},
        configuration=kit.Configuration(tf32=True),
    )
    return resnet18, {f"batch {batch}": (_noise(device, batch, 3, 224, 224),) for batch in (1, 32)}


def _noise(device: torch.device, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(shape[0])).to(device)


def run(
    name: str,
    sizes: Sequence[tuple[int, int]],
    batches: Sequence[int],
    device: torch.device,
    timer: Timer,
    how: Method,
) -> Iterator[results.Compiled]:
    """Exports one of MODELS and measures it: from the call to the result. Raises ParityError if the programs
    do not compute the same."""
    recipe, given = _subject(name, sizes, batches, device)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{name}.pt")
        kit.export(
            recipe, path=path, programs=("torchscript", "aoti"), targets=default_targets("aoti", str(device))
        )
        load = partial(kit.load, path, device=str(device))
        aoti, torchscript = load(engine="aoti"), load(engine="torchscript")
        for what, inputs in given.items():
            yield _measured(f"{name}, {what}", aoti, torchscript, inputs, timer, how)


def _measured(
    title: str, aoti: kit.Model, torchscript: kit.Model, inputs: Sequence[Tensor], timer: Timer, how: Method
) -> results.Compiled:
    def contestant(name: str, model: kit.Model, configuration: str) -> Contestant:
        call: Call = partial(model.predict, list(inputs))
        return Contestant(name, call, configuration)

    compiled = contestant(
        "kit, aoti", aoti, f"compiled for {aoti.target}, {words(aoti.configuration)}".removesuffix(", ")
    )
    fused = contestant("kit, torchscript", torchscript, words(torchscript.configuration))
    for run in range(3):  # the first is not compiled yet, and the second compiles
        for one, other in zip(aoti.predict(list(inputs)), torchscript.predict(list(inputs)), strict=True):
            what = f"{title}, run {run + 1}: aoti does not compute what TorchScript does"
            check_same(what, one, other, TOLERANCE)
    measure([fused, compiled], timer, how.rounds, how.calls, WARM_UP)
    device = inputs[0].device
    return results.Compiled(
        title, way(fused, device), way(compiled, device), ratios(fused.seconds, compiled.seconds)
    )
