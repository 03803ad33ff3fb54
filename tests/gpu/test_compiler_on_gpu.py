"""What kit does about torch's compiler, on a GPU: the fusion report, warming up, finding a culprit."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

import kit
from kit.cli import main
from tests.bench.gpu import mlp
from tests.bench.gpu.models import chain, chain_and_product, matrices
from tests.conftest import Run
from tests.gpu.support import CUDA, NEEDS_CUDA

pytestmark = NEEDS_CUDA
SIZE = 64


@pytest.fixture
def product(tmp_path: Path) -> Path:
    path = tmp_path / "product.pt"
    kit.export(chain_and_product(SIZE), path=path)
    return path


@pytest.fixture
def chains(tmp_path: Path) -> Path:
    path = tmp_path / "chain.pt"
    kit.export(chain(), path=path)
    return path


def test_three_operations_form_one_group_and_the_matrix_product_stands_alone(product: Path) -> None:
    report = kit.load(product, device=CUDA).fusion([matrices(SIZE, SIZE, CUDA)])
    (group,) = report.groups
    assert [one.operation for one in group.operations] == ["aten::mul", "aten::add", "aten::relu"]
    assert (group.runs > 0, group.fallbacks, group.dynamic) == (True, 0, False)
    assert group.language == "CUDA C++"
    assert "__global__" in group.source
    assert report.device == CUDA
    assert report.configuration.fusion
    (alone,) = report.left_out
    assert alone.operation in ("aten::matmul", "aten::mm")
    assert "not pointwise" in alone.reason


def test_with_fusion_off_there_are_no_groups(product: Path) -> None:
    model = kit.load(product, device=CUDA, configuration=kit.Configuration(fusion=False))
    assert model.fusion([matrices(SIZE, SIZE, CUDA)]).groups == []


def test_predictor_reports_the_group_too(product: Path, predictor: Run) -> None:
    done = predictor("inspect", product, "--fusion-report", "--device", CUDA)
    assert done.returncode == 0, done.stderr
    assert "fused_mul_add_relu" in done.stdout


def test_warming_up_leaves_nothing_to_compile(chains: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = kit.load(chains, device=CUDA, warm_up=True)
    warm_up = model.warmed_up
    assert warm_up is not None
    assert warm_up.settled
    assert warm_up.compilations > 0
    cases = [case for case, _ in kit.inspect(chains).cases()]
    with caplog.at_level(logging.WARNING, logger="kit"):
        for inputs in cases:
            model.predict([tensor.to(CUDA) for tensor in inputs])
    assert not caplog.records


def test_a_size_that_was_not_warmed_is_named(chains: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = kit.load(chains, device=CUDA)
    assert model.warm_up(*matrices(32, 16, CUDA)).settled
    with caplog.at_level(logging.WARNING, logger="kit"):
        for _ in range(4):
            model(*matrices(48, 16, CUDA))
    assert any("rows = 48" in record.getMessage() for record in caplog.records)


def test_warming_up_the_mlp(tmp_path: Path) -> None:
    kit.export(mlp.recipe(), path=tmp_path / "mlp.pt")
    warm_up = kit.load(tmp_path / "mlp.pt", device=CUDA, warm_up=True).warmed_up
    assert warm_up is not None
    assert warm_up.settled


def test_no_culprit_within_the_tolerance(product: Path, tmp_path: Path) -> None:
    folder = tmp_path / "repro"
    assert main(["parity", str(product), "--bisect-fusion", "--device", CUDA, "-o", str(folder)]) == 0
    assert not folder.exists()


def test_a_culprit_comes_with_a_script_that_shows_it(chains: Path, tmp_path: Path) -> None:
    folder = tmp_path / "repro"
    exact = ["--rtol", "0", "--atol", "0"]
    code = main(["parity", str(chains), "--bisect-fusion", "--device", CUDA, "-o", str(folder), *exact])
    if code == 0:
        assert not folder.exists()
        pytest.skip("this GPU's compiler rounds a fused product and sum as often as the unfused ones")
    assert code == 5
    done = subprocess.run(
        [sys.executable, folder / "repro.py"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
