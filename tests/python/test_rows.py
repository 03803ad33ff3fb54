"""A call is divided among threads only where no row depends on another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import kit
from kit.guard import guarded
from kit.programs.exported import example_of, exported
from kit.programs.rows import rows_per_thread
from kit.prove import prepare
from kit.sizes import operations_of
from kit.state import evaluating
from tests.conftest import Run


def found(model: Callable[..., Tensor], *, axis: int = 0, least: int = 1) -> int | None:
    """For inputs x of 3 rows or columns and 4 of the others."""
    example = torch.randn(3, 4) if axis == 0 else torch.randn(4, 3)
    recipe = kit.Recipe(
        model, example, names={"inputs": ["x"]}, dynamic={"x": {axis: kit.Dim("n", least, 4096)}}
    )
    with evaluating(model if isinstance(model, nn.Module) else None):
        known = prepare("forward", guarded(recipe))
        eager, signature = known.model.eager, known.model.signature
        cases = [case.inputs for case in known.cases]
        program = exported(eager, signature, example_of(signature, cases))
        return rows_per_thread(program, eager, signature, cases)


def test_of_a_network() -> None:
    small = found(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1)))
    large = found(nn.Sequential(nn.Linear(4, 4096), nn.ReLU(), nn.Linear(4096, 1)))
    assert small is not None
    assert large is not None
    assert 5_000 < small < 100_000
    assert 50 < large < small / 100


def test_a_size_may_shape_what_is_computed() -> None:
    assert found(lambda x: x.view(x.shape[0], 2, 2).sum(1)) is not None
    assert found(lambda x: x + torch.full((x.shape[0], 1), 3.0)) is not None


@pytest.mark.parametrize(
    "model",
    [
        lambda x: x - x.mean(0),
        lambda x: x.cumsum(0),
        lambda x: x.softmax(0),
        lambda x: x.flip(0),
        lambda x: x + torch.arange(x.shape[0]).unsqueeze(1),
        lambda x: x / x.shape[0],
        lambda x: x + x.shape[0] // 5000,
        lambda x: x + torch.full((1, 4), x.shape[0]),
        lambda x: x @ x.T,
        lambda x: x.sum(0),
    ],
    ids=[
        "mean",
        "sum so far",
        "softmax",
        "order",
        "number",
        "size",
        "part of size",
        "filled",
        "pairs",
        "total",
    ],
)
def test_rows_that_depend_on_others(model: Callable[[Tensor], Tensor]) -> None:
    assert found(model) is None


@pytest.mark.parametrize(
    "model",
    [
        lambda x: x / x.abs().max().clamp(min=1000.0),
        lambda x: torch.where(x.isfinite().all(), x, torch.zeros_like(x)),
        lambda x: x + (x.max() > 1000.0),
        lambda x: x + x.cummax(0).values.clamp(min=1000.0),
        lambda x: x + x.flip(0).cummin(0).values.clamp(max=-1000.0),
        lambda x: x + (x.cumsum(0) > 1000.0),
        lambda x: torch.where(x > 1000.0, x.roll(1, 0), x),
        lambda x: torch.where(x > 1000.0, x.roll(1), x),
        lambda x: torch.where(x > 1000.0, x.sort(0).values, x),
        lambda x: torch.where(x > 1000.0, nn.functional.pad(x, (0, 0, 1, 0))[:-1], x),
    ],
    ids=[
        "outliers",
        "finite",
        "greatest",
        "greatest so far",
        "least to come",
        "sum so far",
        "roll",
        "roll all",
        "sort",
        "pad",
    ],
)
def test_rows_that_depend_on_others_for_some_values(model: Callable[[Tensor], Tensor]) -> None:
    assert found(model) is None


@pytest.mark.parametrize(
    "model",
    [
        lambda x: x / x.norm(dim=1, keepdim=True).clamp(min=1e-3),
        lambda x: x.new_zeros(4) + x,
        lambda x: torch.where(x.isnan(), torch.zeros_like(x), x).softmax(1),
        lambda x: x.max(1).values.unsqueeze(1) * torch.tensor([1.0, 2.0]),
        lambda x: x.reshape(-1, 2).exp().view(-1, 4),
        lambda x: x.transpose(0, 1).relu().t(),
        lambda x: torch.cat([x.roll(1, 1)[:, 1:], x.sort(1).values[..., :1]], 1).cumsum(1),
        lambda x: nn.functional.pad(x, (1, 0))[:, :-1].flip(-1).unsqueeze(0).squeeze(0),
    ],
    ids=["norm", "new", "where", "max", "flat", "turned", "along a row", "padded rows"],
)
def test_rows_that_do_not(model: Callable[..., Tensor]) -> None:
    assert found(model) is not None


def depend(model: Callable[..., Any], example: Any = None, **known: Any) -> bool:
    """Whether the manifest says that rows of inputs x do."""
    example = torch.randn(3, 4) if example is None else example
    dynamic = {"x": {0: kit.Dim("n", known.pop("least", 1), 4096)}}
    with TemporaryDirectory() as folder:
        archive = kit.export(
            model, example, Path(folder) / "model.pt", names={"inputs": ["x"]}, dynamic=dynamic, **known
        )
    assert archive.manifest is not None
    depends = archive.manifest.method("forward").rows_depend
    assert ("rows        depend on one another" in str(archive)) == depends
    return depends


@pytest.mark.parametrize(
    "model",
    [
        lambda x: x - x.mean(0),
        lambda x: x.cumsum(0),
        lambda x: x / x.shape[0],
        lambda x: (x, x.softmax(0)),
        lambda x: x.argsort(0),
        lambda x: x.view(x.shape[0] // 2, 2, 4).sum(1).repeat_interleave(2, 0)[: x.shape[0]],
    ],
    ids=["mean", "cumulative", "count", "second output", "integers", "pairs"],
)
def test_that_rows_depend_is_recorded(model: Callable[..., Any]) -> None:
    cases = [torch.randn(rows, 4) for rows in (4, 6, 2)]
    assert depend(model, cases[0], least=2, cases=cases)


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Linear(4, 300), nn.ReLU(), nn.Linear(300, 300), nn.BatchNorm1d(300)),
        nn.Sequential(nn.Linear(4, 300), nn.Softmax(-1)).half(),
        lambda x: x.softmax(1) - x.mean(1, keepdim=True),
        lambda x: x.sum(0),
        lambda x: x.t(),
    ],
    ids=["network", "half", "of a row", "without rows", "turned"],
)
def test_that_rows_depend_is_not(model: Callable[..., Any]) -> None:
    half = isinstance(model, nn.Module) and next(model.parameters()).dtype == torch.float16
    assert not depend(model, torch.randn(3, 4).half() if half else None)


def test_that_rows_depend_is_seen_in_small_outputs_of_large_inputs() -> None:
    assert depend(lambda x: x.softmax(0) * 1e-5, torch.randn(3, 4))
    assert depend(lambda x: x / x.sum(0), torch.rand(3, 4) * 1e6)
    assert not depend(lambda x: x / x.sum(1, keepdim=True), torch.rand(3, 4) * 1e6)


def test_random_numbers_say_nothing_of_rows() -> None:
    assert not depend(lambda x: x + torch.rand_like(x), allow=["random"])


def test_another_dim_than_the_first() -> None:
    assert found(torch.relu, axis=1) is None


def test_a_part_has_rows_enough() -> None:
    assert found(nn.Sequential(nn.Linear(4, 2000), nn.Linear(2000, 2000)), least=2) == 2


def test_what_is_computed_is_counted() -> None:
    eager = guarded(kit.Recipe(nn.Linear(4, 8), torch.zeros(3, 4))).eager
    product, result, copies = 2 * 3 * 4 * 8, 3 * 8, 3 * 4
    assert operations_of(eager, [torch.zeros(3, 4)]) == product + 4 * (result + copies)


def test_threads_compute_the_same(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    path = tmp_path / "model.pt"
    dynamic = {"input": {0: kit.Dim("batch", 1, 20_000)}}
    kit.export(model, torch.randn(3, 4), path, programs=["native"], dynamic=dynamic)
    one = kit.load(path, engine="native", configuration=kit.Configuration(threads=1))
    three = kit.load(path, engine="native", configuration=kit.Configuration(threads=3))
    for rows in (1, 600, 1000, 20_000):
        x = torch.randn(rows, 4)
        expected = one(x)
        torch.testing.assert_close(expected, model(x).detach())
        for _ in range(3):
            assert torch.equal(three(x), expected)
        assert torch.equal(three(x.T.contiguous().T), expected)


@pytest.mark.parametrize("suffix", ["npy", "csv"])
def test_the_predictor_cuts_no_rows_that_depend(suffix: str, tmp_path: Path, predictor: Run) -> None:
    path, given, taken = (tmp_path / name for name in ("model.pt", f"x.{suffix}", f"y.{suffix}"))
    dynamic = {"x": {0: kit.Dim("batch", 1, 4096)}}
    kit.export(lambda x: x - x.mean(0), torch.randn(4, 3), path=path, dynamic=dynamic)
    x = torch.arange(6000.0).reshape(2000, 3)
    if suffix == "npy":
        np.save(given, x.numpy())
    else:
        np.savetxt(given, x.numpy(), delimiter=",")
    done = predictor("run", path, "--input", given, "--output", taken)
    assert (done.returncode, done.stderr) == (0, "")
    y = np.load(taken) if suffix == "npy" else np.loadtxt(taken, delimiter=",", skiprows=1)
    assert np.array_equal(y, (x - x.mean(0)).numpy())
    assert "depend on one another: give them in one call" in predictor("inspect", path).stdout
    cut = predictor("run", path, "--input", given, "--output", taken, "--batch", "1024")
    assert cut.returncode == 0
