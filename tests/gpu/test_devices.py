"""One archive on several devices: exported on a CPU and run on a GPU, and the other way round."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

import kit
from kit.compiling import default_targets
from tests.bench.gpu import mlp
from tests.bench.gpu.models import chain, chain_and_product
from tests.conftest import Run
from tests.gpu.support import CUDA, NEEDS_CUDA
from tests.several_methods import write_several

pytestmark = NEEDS_CUDA


def digits() -> kit.Recipe:
    """The network of examples/digits with weights as initialised, on images of noise."""
    pytest.importorskip("sklearn", reason="scikit-learn, which the example imports, is not installed")
    from examples.digits.recipe import DigitNet

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(1)
        model, images = DigitNet(), torch.rand(2, 1, 8, 8)
    return kit.Recipe(model, args=images, dynamic={"images": {0: kit.Dim("batch", 1, 64)}}, cases=3)


RECIPES: dict[str, Callable[[], kit.Recipe]] = {
    "mlp": mlp.recipe,
    "digits": digits,
    "chain": chain,
    "chain_and_product": lambda: chain_and_product(32),
}


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize(("made_on", "runs_on"), [("cpu", CUDA), (CUDA, "cpu"), (CUDA, CUDA)])
def test_exported_on_one_and_run_on_the_other(
    name: str, made_on: str, runs_on: str, predictor: Run, tmp_path: Path
) -> None:
    path = tmp_path / "model.pt"
    kit.export(RECIPES[name](), path=path, device=made_on)
    report = kit.verify(path, device=runs_on)
    assert report.passed, str(report)
    done = predictor("verify", path, "--device", runs_on)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", RECIPES)
def test_every_way_agrees(
    name: str, tmp_path: Path, predictor_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIT_PREDICTOR", str(predictor_path))
    recipe = RECIPES[name]()
    kit.export(recipe, path=tmp_path / "model.pt")
    report = kit.parity(recipe, tmp_path / "model.pt", device=CUDA)
    assert report.passed, str(report)


@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_a_model_on_the_gpu_is_compared_where_it_is_told_to(
    device: str, tmp_path: Path, predictor_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIT_PREDICTOR", str(predictor_path))
    recipe = kit.Recipe(torch.nn.Linear(3, 2).to(CUDA), torch.randn(4, 3, device=CUDA))
    kit.export(recipe, path=tmp_path / "model.pt")
    for report in (
        kit.parity(recipe, tmp_path / "model.pt", device=device),
        kit.layers(recipe, tmp_path / "model.pt", device=device),
    ):
        report.raise_for_failure()
    assert recipe.model.weight.device == torch.device(CUDA)


@pytest.mark.parametrize(
    "method",
    [
        "forward",
        "encode",
        pytest.param(
            "sample",
            marks=pytest.mark.skip(reason="the generators of CPU and CUDA give other numbers for a seed"),
        ),
    ],
)
def test_methods(method: str, tmp_path: Path) -> None:
    write_several(tmp_path / "model.pt")
    report = kit.verify(tmp_path / "model.pt", device=CUDA, method=method)
    assert report.passed, str(report)


def test_random_numbers_repeat_with_the_seed(tmp_path: Path) -> None:
    write_several(tmp_path / "model.pt")
    model = kit.load(tmp_path / "model.pt", device=CUDA, method="sample")
    drawn = []
    for _ in range(2):
        model.seed(5)
        drawn.append(model(torch.zeros(3, device=CUDA)))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], model(torch.zeros(3, device=CUDA)))


class Convolution(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.nn.Conv2d(64, 64, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


@pytest.mark.parametrize("engine", ["torchscript", "aoti"])
def test_convolutions_round_only_if_they_are_told_to(engine: str, tmp_path: Path) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(3)
        recipe = kit.Recipe(Convolution(), args=torch.randn(2, 64, 32, 32), cases=2)
    path = tmp_path / "model.pt"
    if engine == "aoti":
        targets = default_targets("aoti", CUDA)
        kit.export(recipe, path=path, programs=("torchscript", "aoti"), targets=targets)
    else:
        kit.export(recipe, path=path)
    exact, rounded = (
        kit.verify(path, engine, CUDA, configuration=kit.Configuration(tf32=tf32)) for tf32 in (None, True)
    )
    assert exact.passed, str(exact)
    assert exact.configuration.tf32 is False
    assert rounded.configuration.tf32 is True
    assert rounded.max_abs < 1e-2  # as exact where cuDNN takes an algorithm without TF32


def test_outputs_are_where_the_inputs_are(tmp_path: Path) -> None:
    kit.export(mlp.recipe(), path=tmp_path / "mlp.pt")
    model = kit.load(tmp_path / "mlp.pt", device="cuda")
    x = torch.randn(5, 3)
    on_cpu, on_gpu = model(x), model(x.to(CUDA))
    assert (on_cpu.device.type, on_gpu.device) == ("cpu", torch.device(CUDA))
    torch.testing.assert_close(on_gpu.cpu(), on_cpu)
    torch.testing.assert_close(on_cpu, kit.load(tmp_path / "mlp.pt")(x))


def test_predictor_runs_where_it_is_told_to(predictor: Run, tmp_path: Path) -> None:
    kit.export(mlp.recipe(), path=tmp_path / "mlp.pt")
    (tmp_path / "x.csv").write_text("x1,x2,x3\n1,1,1\n0.5,-2,3\n")
    found = {}
    for device in ("cpu", "cuda", CUDA):
        done = predictor("run", tmp_path / "mlp.pt", "--input", tmp_path / "x.csv", "--device", device, "-v")
        assert done.returncode == 0, done.stderr
        assert f"runs torchscript on {device}" in done.stderr
        assert re.search("fusion (on|off)", done.stderr)
        assert ("fusion on" in done.stderr) == (device != "cpu")
        found[device] = torch.tensor([float(line) for line in done.stdout.splitlines()[1:]])
    torch.testing.assert_close(found["cuda"], found["cpu"])
    assert torch.equal(found["cuda"], found[CUDA])
