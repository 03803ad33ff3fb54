"""Packages of AOTInductor's for the GPU that is here, compared with TorchScript that is fused."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import safetensors.torch
import torch

import kit
from kit.compiling import default_targets
from tests import aoti_archive
from tests.aoti_archive import Scores, weights_of
from tests.gpu.support import CUDA, NEEDS_CUDA

pytestmark = NEEDS_CUDA


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (target,) = default_targets("aoti", CUDA)
    return aoti_archive.write(tmp_path_factory.mktemp("aoti") / "scores.pt", target=target)


def same(*tensors: torch.Tensor) -> list[torch.Tensor]:
    return list(tensors)


def unaligned(x: torch.Tensor, index: torch.Tensor) -> list[torch.Tensor]:
    """In memory that starts where no vector of 16 bytes can."""
    return [
        torch.empty(tensor.numel() + 1, dtype=tensor.dtype, device=tensor.device)[1:]
        .view(tensor.shape)
        .copy_(tensor)
        for tensor in (x, index)
    ]


def strided(x: torch.Tensor, index: torch.Tensor) -> list[torch.Tensor]:
    return [x.t().contiguous().t(), torch.stack([index, index], 1)[:, 0]]


@pytest.mark.parametrize("placed", [same, unaligned, strided])
def test_it_computes_what_eager_and_fused_torchscript_compute(
    path: Path, placed: Callable[..., list[torch.Tensor]]
) -> None:
    model = kit.load(path, device=CUDA)
    assert model.engine == "aoti"
    fused = kit.load(path, engine="torchscript", device=CUDA)
    assert fused.configuration.fusion
    for inputs, outputs in kit.inspect(path).cases():
        given = placed(*(tensor.to(CUDA) for tensor in inputs))
        for _ in range(4):  # until it is fused
            expected = fused.predict(given)
        for one, other, eager in zip(model.predict(given), expected, outputs, strict=True):
            assert one.device == torch.device(CUDA)
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(one.cpu(), eager, rtol=1e-4, atol=1e-5)


def test_another_export_gives_the_same_bytes(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIT_CACHE", str(tmp_path / "cache"))
    other = aoti_archive.write(tmp_path / "other.pt", target=kit.load(path, device=CUDA).target)
    assert other.read_bytes() == path.read_bytes()
    assert b"kit-compile-" not in other.read_bytes()


def test_inputs_on_the_cpu_give_outputs_there(path: Path) -> None:
    model = kit.load(path, engine="aoti", device=CUDA)
    for inputs, outputs in kit.inspect(path).cases():
        for one, eager in zip(model.predict(inputs), outputs, strict=True):
            torch.testing.assert_close(one, eager, rtol=1e-4, atol=1e-5)


def test_it_is_not_for_the_cpu(path: Path) -> None:
    assert kit.load(path).engine == "torchscript"
    with pytest.raises(kit.errors.UnavailableError, match="cuda:sm_"):
        kit.load(path, engine="aoti")


def test_weights_are_replaced(path: Path, tmp_path: Path) -> None:
    other = Scores(1).eval()
    model = kit.load(path, engine="aoti", device=CUDA)
    safetensors.torch.save_file(weights_of(1), tmp_path / "weights.safetensors")
    model.update_weights(tmp_path / "weights.safetensors")
    for (x, index), _ in kit.inspect(path).cases():
        with torch.no_grad():
            torch.testing.assert_close(model.predict([x, index])[0], other(x, index)[0], rtol=1e-4, atol=1e-5)


def test_many_threads_at_once(path: Path) -> None:
    model, eager = kit.load(path, engine="aoti", device=CUDA), Scores(0).eval()

    def differences(thread: int) -> float:
        generator = torch.Generator().manual_seed(thread)
        worst = 0.0
        for call in range(25):
            rows = 1 + (7 * thread + call) % 64
            x = torch.randn(rows, 4, generator=generator)
            index = torch.randint(0, 11, (rows,), generator=generator)
            with torch.no_grad():
                expected = eager(x, index)[0]
            worst = max(
                worst, float((model.predict([x.to(CUDA), index.to(CUDA)])[0].cpu() - expected).abs().max())
            )
        return worst

    with ThreadPoolExecutor(8) as threads:
        assert max(threads.map(differences, range(8))) < 1e-5


@pytest.mark.parametrize("engine", ["aoti", "torchscript"])
def test_it_runs_in_the_stream_of_the_caller(engine: str, path: Path) -> None:
    model = kit.load(path, engine=engine, device=CUDA)
    ((x, index), (expected, _)), *_ = kit.inspect(path).cases()
    given = [torch.zeros_like(x, device=CUDA), index.to(CUDA)]
    for _ in range(4):
        model.predict(given)
    torch.cuda.synchronize()
    with torch.cuda.stream(torch.cuda.Stream()):
        torch.cuda._sleep(
            100_000_000
        )  # the input is written after this, and whoever does not wait reads zeros
        given[0].copy_(x.pin_memory(), non_blocking=True)
        found = model.predict(given)[0].cpu()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
