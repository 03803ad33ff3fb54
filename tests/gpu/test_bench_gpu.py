"""The GPU benchmark itself, on the CPU: small, slow, and the same code but for CUDA's clocks and graphs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

import kit
from tests.bench import bench_gpu
from tests.bench.gpu import mlp, models, pointwise
from tests.bench.gpu.contest import check_same
from tests.bench.gpu.machine import describe
from tests.bench.gpu.results import Method, Results
from tests.gpu.support import CUDA, NEEDS_CUDA

CPU = torch.device("cpu")
SMALL = ("--device", "cpu", "--sizes", "4x6", "--batches", "1,3", "--compiled", "chain")
FEW = ("--rounds", "2", "--calls", "1")


def test_it_writes_what_it_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "gpu.md"
    junit = tmp_path / "junit.xml"
    junit.write_text("<testsuite><testcase name='a'/></testsuite>")
    assert bench_gpu.main([*SMALL, *FEW, "--output", str(page), "--junit", f"ctest={junit}"]) == 0
    printed = capsys.readouterr()
    assert f"wrote {page}" in printed.out
    assert "bench_gpu: 4×6 float32: copy " in printed.err
    assert "bench_gpu: batch 3: kit, C++ engine " in printed.err
    known = json.loads(page.with_suffix(".json").read_text())
    (chain,) = known["pointwise"]
    assert (chain["rows"], chain["columns"], chain["tensor_bytes"]) == (4, 6, 4 * 6 * 4)
    for name in ("copy", "fused", "unfused", "eager"):
        assert chain[name]["seconds"]["p10"] > 0
    assert chain["fused"]["kernels"] < chain["unfused"]["kernels"]
    assert "fusion on" in chain["fused"]["configuration"]
    assert "fusion off" in chain["unfused"]["configuration"]
    assert [one["batch"] for one in known["mlp"]] == [1, 3]
    assert all(one["graph"] is None for one in known["mlp"])
    (one,) = known["compiled"]
    assert (one["title"], one["aoti"]["name"]) == ("chain, 4×6", "kit, aoti")
    assert one["speedup"]["p10"] > 0
    assert known["machine"]["torch"] == torch.__version__
    assert known["tests"] == [{"runner": "ctest", "passed": 1, "failed": 0, "skipped": 0, "unfinished": 0}]
    assert "| tests of ctest | 1 passed, 0 failed, 0 skipped |" in page.read_text()


@pytest.mark.parametrize(
    ("arguments", "mention"),
    [
        (["--device", "tpu"], "'tpu' is no device"),
        (["--device", "cuda:"], "'cuda:' is no device"),
        (["--sizes", "4096"], "no whole number"),
        (["--sizes", "0x4"], "'0' is no whole number"),
        (["--batches", "1,,2"], "no whole number"),
        (["--compiled", "mlp,gpt"], "'gpt' is none of chain, mlp"),
        (["--rounds", "0"], "'0' is no whole number"),
        (["--junit", "ctest=/no/such.xml"], "no JUnit file"),
        (["--fast"], "--fast"),
    ],
)
def test_bad_arguments(arguments: list[str], mention: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        bench_gpu.main(arguments)
    assert stopped.value.code == 2
    assert mention in capsys.readouterr().err


def test_a_file_that_is_no_junit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "log").write_text("all passed")
    with pytest.raises(SystemExit):
        bench_gpu.main(["--junit", f"ctest={tmp_path}/log"])
    assert "no JUnit file can be read there" in capsys.readouterr().err


def test_a_device_that_is_not_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "gpu.md"
    assert bench_gpu.main(["--device", "cuda:99", "--output", str(page)]) == 6
    (line,) = capsys.readouterr().err.splitlines()
    assert "the device cuda:99 is not here" in line
    assert not page.exists()


def test_a_page_that_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    results = Results("", "cpu", {}, Method(1, 1), (), ())
    monkeypatch.setattr(bench_gpu, "run", lambda options: results)
    assert bench_gpu.main(["--output", str(tmp_path / "no" / "gpu.md")]) == 6
    (line,) = capsys.readouterr().err.splitlines()
    assert "the report cannot be written" in line
    assert "no/gpu" in line


@pytest.fixture(scope="module")
def chain_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("chain") / "chain.pt"
    kit.export(models.chain(), path=path)
    return path


def test_a_way_that_computes_something_else_is_not_measured(
    chain_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models.Chain, "forward", lambda self, x, m1, m2: x * m1 - m2)
    with pytest.raises(kit.ParityError, match="kit, fused, run 1, does not compute what eager does"):
        pointwise.prepare(chain_path, (3, 4), CPU)


@pytest.mark.parametrize("value", [2e-4, float("nan")])
def test_what_differs_is_not_measured(value: float) -> None:
    check_same("what is alike", torch.tensor([1e-4]), torch.zeros(1), 2e-4)
    with pytest.raises(kit.ParityError, match=r"^net does not compute the same: up to "):
        check_same("net does not compute the same", torch.tensor([value]), torch.zeros(1), 1e-4)


def test_the_machine_is_described() -> None:
    facts = describe(CPU)
    assert set(facts) == {"CPU", "torch", "torch that kit runs", "Python", "system"}
    assert all(facts.values())


class TestOnCuda:
    pytestmark = NEEDS_CUDA

    @pytest.fixture
    def x(self) -> Tensor:
        return torch.randn(5, 3, device=CUDA)

    def test_a_graph_replays_on_what_is_in_its_input_now(self, x: Tensor, tmp_path: Path) -> None:
        kit.export(mlp.recipe(), path=tmp_path / "mlp.pt")
        program = torch.jit.load(tmp_path / "mlp.pt", map_location=CUDA).eval()
        replay = mlp.captured(program, x)
        for _ in range(3):
            x.copy_(torch.randn(5, 3))
            with torch.no_grad():
                torch.testing.assert_close(replay(), program(x))

    def test_it_runs(self, tmp_path: Path) -> None:
        page = tmp_path / "gpu.md"
        sizes = [
            "--sizes",
            "512x512",
            "--batches",
            "1",
            "--compiled",
            "chain",
            "--rounds",
            "3",
            "--calls",
            "2",
        ]
        assert bench_gpu.main([*sizes, "--output", str(page)]) == 0
        known = json.loads(page.with_suffix(".json").read_text())
        (chain,), (network,), (one,) = known["pointwise"], known["mlp"], known["compiled"]
        assert (one["torchscript"]["kernels"], one["aoti"]["kernels"]) == (1, 1)
        assert (chain["fused"]["kernels"], chain["unfused"]["kernels"]) == (1, 3)
        assert network["graph"]["kernels"] == network["torchscript"]["kernels"] > 0
        assert known["machine"]["GPU"].startswith(torch.cuda.get_device_name(CUDA))
        assert len(known["goals"]) == 2
