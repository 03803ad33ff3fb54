"""`parity --bisect-fusion`. On the CPU a fused tanh differs from torch's by about 6e-8: the culprit that
these tests plant. Fused products, sums and relu are exact."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import kit
from kit.bisecting import bisect_fusion
from kit.cli import main
from kit.fusion_repro import difference, strided

BATCH = kit.Dim("batch", 1, 64)
EXACT: dict[str, Any] = {"rtol": 0.0, "atol": 0.0}


class Chain(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x * x + 1) * 2


class Exact(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x * x - 1) * 2


class TwoGroups(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(torch.cumsum(torch.relu(x * x - 1), 0) * x + 1) * 2


class Weighted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([0.5, -1.0, 2.0]))

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x * self.weight + 1) * 2


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an archive of each, which has cases of 32 and of 40 rows: enough for a tanh to differ."""
    folder = tmp_path_factory.mktemp("models")
    generator = torch.Generator().manual_seed(0)
    cases = [(torch.randn(rows, 3, generator=generator),) for rows in (32, 40)]
    for model in (Chain(), Exact(), TwoGroups(), Weighted()):
        path = folder / f"{type(model).__name__.lower()}.pt"
        kit.export(model, args=cases[0], path=path, name="m", dynamic={"x": {0: BATCH}}, cases=cases)
    return folder


def run_repro(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(folder / "repro.py")]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_fused_code_is_verified_although_the_first_call_has_none(models: Path) -> None:
    path = models / "chain.pt"
    assert kit.verify(path, configuration=kit.Configuration(fusion=False)).max_abs == 0
    assert 0 < kit.verify(path, configuration=kit.Configuration(fusion=True)).max_abs < 1e-6


def test_the_culprit_is_found_and_shown_alone(models: Path, folder: Path) -> None:
    found = bisect_fusion(models / "chain.pt", folder / "out", **EXACT)
    assert (found.differs, found.case, found.run, found.output) == (True, 0, 2, "output")
    assert found.operation is not None
    assert found.operation.operation == "aten::tanh"
    assert "torch.tanh(" in found.operation.line
    assert [one.operation for one in found.repro] == ["aten::tanh"]
    assert 0 < found.difference.max_abs < 1e-6
    names = ["README.md", "graph.txt", "inputs.safetensors", "program.pt", "repro.py", "versions.json"]
    assert sorted(path.name for path in (folder / "out").iterdir()) == names
    facts = json.loads((folder / "out/versions.json").read_text())
    assert facts["torch"] == torch.__version__
    assert facts["configuration"]["fusion"] is True
    assert "aten::tanh" in (folder / "out/README.md").read_text()
    assert "aten::tanh" in (folder / "out/graph.txt").read_text()
    done = run_repro(folder / "out")
    assert done.returncode == 1, done.stderr
    assert "run 1: largest difference 0, within the tolerance" in done.stdout
    assert "run 2: largest difference" in done.stdout
    assert "DIFFERS" in done.stdout.splitlines()[2]
    facts["tolerances"]["float32"] = [0.0, 1e-5]
    (folder / "out/versions.json").write_text(json.dumps(facts))
    assert run_repro(folder / "out").returncode == 0


@pytest.mark.parametrize("options", [{}, EXACT])
def test_no_difference_writes_nothing(models: Path, folder: Path, options: dict[str, Any]) -> None:
    model = "exact.pt" if options else "chain.pt"
    found = bisect_fusion(models / model, folder / "out", **options)
    assert not found.differs
    assert found.difference.bit_equal == bool(options)
    assert "fused and unfused agree" in str(found)
    assert not list(folder.iterdir())


class Methods(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x * x - 1) * 2

    def bend(self, x: Tensor) -> Tensor:
        return torch.tanh(x * x + 1) * 2


def test_the_cases_of_all_methods_are_counted(folder: Path) -> None:
    x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    recipe = kit.Recipe(Methods(), x, cases=2, methods={"bend": kit.Method(x, cases=3)})
    kit.export(recipe, path=folder / "model.pt")
    exact = bisect_fusion(folder / "model.pt", folder / "exact", method="forward", **EXACT)
    assert (exact.methods, exact.cases, exact.differs) == (("forward",), 2, False)
    found = bisect_fusion(folder / "model.pt", folder / "found", **EXACT)
    assert (found.methods, found.cases, found.differs) == (("forward", "bend"), 5, True)


def test_of_two_groups_the_guilty_one_is_blamed(models: Path, folder: Path) -> None:
    found = bisect_fusion(models / "twogroups.pt", folder / "out", **EXACT)
    assert [one.difference.within for one in found.groups] == [True, False]
    assert found.groups[0].difference.bit_equal
    assert found.group == 1
    assert found.operation is not None
    assert found.operation.operation == "aten::tanh"


def test_a_dynamic_group_is_shown_as_such(models: Path, folder: Path) -> None:
    dynamic = kit.Configuration(static_depth=0, dynamic_depth=1)
    found = bisect_fusion(models / "chain.pt", folder / "out", configuration=dynamic, **EXACT)
    assert found.groups[0].dynamic
    assert found.operation is not None
    assert found.operation.operation == "aten::tanh"
    assert json.loads((folder / "out/versions.json").read_text())["dynamic"] is True
    assert run_repro(folder / "out").returncode == 1


def test_frozen_weights_travel_in_the_program(models: Path, folder: Path) -> None:
    frozen = kit.Configuration(freeze=True)
    found = bisect_fusion(models / "weighted.pt", folder / "out", configuration=frozen, **EXACT)
    assert found.configuration.freeze is True
    assert found.operation is not None
    assert found.operation.operation == "aten::tanh"
    assert (folder / "out/repro.py").is_file()


def command(*arguments: str | Path) -> int:
    return main(["parity", *map(str, arguments), "--bisect-fusion"])


def test_the_command_names_all_of_it(models: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(models / "chain.pt", "-o", folder / "out", "--rtol", "0", "--atol", "0") == 5
    out, err = capsys.readouterr()
    assert "cause: group 0 (fused_" in out
    assert "operation aten::tanh (code/" in out
    assert f"written: {folder / 'out'}" in out
    assert err.count("\n") == 1
    assert "case 0, run 2, output 'output': fused differs from unfused" in err
    assert command(models / "exact.pt", "-o", folder / "none", "--json") == 0
    assert json.loads(capsys.readouterr().out)["differs"] is False


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--fusion", "off"], 2, "bisecting compares fused with unfused"),
        (["--executor", "simple"], 2, "bisecting compares fused with unfused"),
        (["--runs", "0"], 2, "runs is 0; give a whole number from 1 to"),
        (["--runs", "99999999999"], 2, "runs is 99999999999; give a whole number from 1 to 2147483647"),
        (["--static-depth", "0", "--dynamic-depth", "0"], 2, "nothing is compiled with static and dynamic"),
        (["--rtol", "-1"], 2, "the tolerance rtol=-1.0 is no number of at least 0"),
        (["--method", "shrink"], 2, "no method 'shrink'"),
        (["--layers"], 2, "unrecognized arguments: --layers"),
        (["-o", "."], 2, "is there already; remove it, or give another folder with -o"),
        (["-o", "no/such/out"], 2, "there is no folder"),
    ],
)
def test_bad_arguments(
    models: Path,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(folder)
    assert command(models / "chain.pt", *arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
    assert not list(folder.iterdir())


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about hosts without a GPU")
def test_cuda_without_a_gpu(models: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(models / "chain.pt", "--device", "cuda", "-o", folder / "out") == 6
    assert "the device cuda:0 is not here" in capsys.readouterr().err


def test_an_archive_without_a_manifest(
    archives: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(archives / "plain.pt", "-o", folder / "out") == 3
    assert "it has no manifest, hence no golden cases" in capsys.readouterr().err


def test_what_cannot_be_written_leaves_nothing(
    models: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kit.repro.shutil.copyfile", full)
    with pytest.raises(kit.UnavailableError, match="cannot be written: No space left on device; make room"):
        bisect_fusion(models / "chain.pt", folder / "out", **EXACT)
    assert not list(folder.iterdir())


def test_strides_are_restored() -> None:
    whole = torch.arange(6.0).reshape(2, 3)
    for tensor in (whole.t(), whole[:1].expand(4, 3), whole, torch.tensor(3.0), torch.empty(0, 2)):
        again = strided(tensor.contiguous(), list(tensor.stride()))
        assert torch.equal(again, tensor)
        assert again.stride() == tensor.stride()


def test_differences_are_judged_as_the_engine_does() -> None:
    tolerances = {"float32": [0.0, 0.1]}
    one, inf, nan = torch.tensor([1.0]), torch.tensor([torch.inf]), torch.tensor([torch.nan])
    assert difference(one, one + 0.05, tolerances)[1]
    assert not difference(one, one + 0.5, tolerances)[1]
    assert difference(inf, inf, tolerances) == (0.0, True)
    assert difference(nan, nan, tolerances) == (0.0, True)
    assert not difference(inf, one, tolerances)[1]
    assert not difference(one, inf, tolerances)[1]
    assert not difference(nan, one, tolerances)[1]
    assert not difference(torch.tensor([1]), torch.tensor([2]), {})[1]
