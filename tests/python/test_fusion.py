"""The fusion report. On the CPU fused kernels are interpreted, which is slow: tensors are tiny."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import kit
from kit.cli import main
from kit.errors import InputError, UnavailableError, UsageError
from tests.conftest import Run
from tests.make_archives import save_plain

FUSED = kit.Configuration(fusion=True)
OPTIONS = ("--fusion-report", "--fusion", "on")
ROWS = kit.Dim("rows", 1, 8)
ALONE = "it is alone: nothing beside it can be fused, and a group has two operations or more"

Captured = pytest.CaptureFixture[str]


class Chain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.m1 = nn.Parameter(torch.rand(4))
        self.m2 = nn.Parameter(torch.rand(4))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x * self.m1 + self.m2)


class Layers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Products(nn.Module):
    """A matrix product that torch's fuser takes on the CPU, and one that it does not, as it is of stacks."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = torch.relu(x * 2 + 1)
        return y @ x, torch.relu(y.unsqueeze(0) * 2) @ x.unsqueeze(0)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("chain") / "model.pt"
    cases = [(torch.rand(rows, 4),) for rows in (2, 3)]
    kit.export(Chain(), cases[0], path, dynamic={"x": {0: ROWS}}, cases=cases, name="chain")
    return path


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("layers") / "model.pt"
    kit.export(Layers(), torch.rand(2, 4), path, dynamic={"x": {0: ROWS}}, name="layers")
    return path


def report_of(path: Path, rows: tuple[int, ...] = (2,), calls: int = 3, **known: Any) -> kit.FusionReport:
    model = kit.load(path, configuration=kit.Configuration(fusion=True, **known))
    return model.fusion([[torch.rand(count, 4)] for count in rows], calls)


def test_a_chain_is_one_group(chain: Path) -> None:
    report = report_of(chain)
    (group,) = report.groups
    assert group.name == "fused_mul_add_relu"
    assert [one.operation for one in group.operations] == ["aten::mul", "aten::add", "aten::relu"]
    line = group.operations[0].line
    assert line is not None
    assert line.file.startswith("code/__torch__")
    assert "torch.mul(x, " in line.text
    assert "Float(2, 4, strides=[4, 1], requires_grad=0, device=cpu)" in group.inputs
    assert (group.runs, group.fallbacks, group.dynamic, group.counted) == (2, 0, False, True)
    assert (group.language, "aten_relu" in group.source) == ("tensor expressions", True)
    assert (report.calls, report.compilations, report.sizes) == (3, 1, [{"rows": 2}])
    assert (report.left_out, report.note, report.device) == ([], None, "cpu")
    assert report.configuration.fusion is True


def test_a_further_size_falls_back_or_fits(chain: Path) -> None:
    (static,) = report_of(chain, (2, 3), static_depth=1, dynamic_depth=0).groups
    assert (static.dynamic, static.runs, static.fallbacks) == (False, 2, 3)
    (dynamic,) = report_of(chain, (2, 3), static_depth=0, dynamic_depth=1).groups
    assert (dynamic.dynamic, dynamic.runs, dynamic.fallbacks) == (True, 5, 0)
    first, second = report_of(chain, (2, 3), static_depth=2).groups
    assert (first.instead_of, first.runs, first.fallbacks) == (None, 2, 3)
    assert (second.instead_of, second.runs, second.fallbacks) == (0, 2, 0)


def test_what_is_not_fused_says_why(layers: Path) -> None:
    report = report_of(layers)
    assert report.groups == []
    assert {(one.operation, one.reason) for one in report.left_out} == {
        ("aten::linear", "it is not pointwise"),
        ("aten::tanh", ALONE),
        ("aten::sigmoid", ALONE),
    }
    assert "2 x aten::linear: it is not pointwise\n" in str(report)


def test_the_report_says_what_is_and_not_what_was_expected(tmp_path: Path) -> None:
    """Torch fuses a small matrix product on the CPU; a product of stacks it does not."""
    kit.export(Products(), torch.rand(4, 4), tmp_path / "model.pt")
    report = report_of(tmp_path / "model.pt", (4,))
    assert "aten::matmul" in [one.operation for group in report.groups for one in group.operations]
    (product,) = [one for one in report.left_out if one.operation == "aten::matmul"]
    assert product.reason.startswith("it is not pointwise, and its sizes and strides are none")


def test_without_fusion_there_is_a_note(chain: Path) -> None:
    x = [[torch.rand(2, 4)]]
    off = kit.load(chain).fusion(x)
    assert (off.groups, off.left_out, off.note) == ([], [], "fusion is off")
    simple = kit.load(chain, configuration=kit.Configuration(executor="simple")).fusion(x)
    assert simple.note == "the simple executor fuses nothing"
    assert "give 2 calls or more" in str(report_of(chain, calls=1).note)


def test_the_table_shows_the_code_where_it_is_asked_for(chain: Path) -> None:
    report = report_of(chain)
    assert "| " not in str(report)
    assert "aten_relu" in report.table(source=True)


def test_the_model_and_the_random_generator_stay_as_they_are(chain: Path) -> None:
    model = kit.load(chain, configuration=FUSED)
    before = torch.random.get_rng_state()
    first, second = (model.fusion([[torch.ones(2, 4)]]) for _ in range(2))
    assert first == second
    assert torch.equal(before, torch.random.get_rng_state())


def test_nothing_to_run_and_unfit_inputs_are_refused(chain: Path) -> None:
    model = kit.load(chain, configuration=FUSED)
    for inputs, calls in (([], 4), ([[torch.ones(2, 4)]], 0)):
        with pytest.raises(UsageError, match="give inputs, and 1 call or more"):
            model.fusion(inputs, calls)
    with pytest.raises(InputError, match="'x'"):
        model.fusion([[torch.ones(2, 5)]])


def test_predictor_and_python_print_the_same(chain: Path, predictor: Run, capsys: Captured) -> None:
    for more in ([], ["--case", "1", "--calls", "2", "--source"], ["--json", "--static-depth", "2"]):
        done = predictor("inspect", chain, *OPTIONS, *more)
        assert (done.returncode, done.stderr) == (0, "")
        assert main(["inspect", str(chain), *OPTIONS, *more]) == 0
        assert capsys.readouterr().out == done.stdout
    root = json.loads(done.stdout)
    assert root["archive"] == str(chain)
    assert root["sizes"] == [{"rows": 2}, {"rows": 3}]
    assert root["groups"][0]["name"] == "fused_mul_add_relu"


@pytest.fixture
def refused(predictor: Run, capsys: Captured) -> Callable[..., None]:
    """Both commands give that exit code, and one line that has the text."""

    def check(code: int, text: str, *arguments: str | Path) -> None:
        done = predictor("inspect", *arguments)
        assert main(["inspect", *map(str, arguments)]) == code == done.returncode
        for errors in (done.stderr, capsys.readouterr().err):
            lines = [line for line in errors.splitlines() if "warning: " not in line]
            assert len(lines) == 1
            assert text in lines[0]

    return check


def test_wrong_commands_are_refused(chain: Path, refused: Callable[..., None], tmp_path: Path) -> None:
    save_plain(tmp_path / "plain.pt")
    refused(2, "there is no case 7", chain, *OPTIONS, "--case", "7")
    refused(2, "there is no case -1", chain, *OPTIONS, "--case=-1")
    refused(2, "has no manifest, hence no golden cases", tmp_path / "plain.pt", *OPTIONS)
    refused(2, "give inputs, and 1 call or more", chain, *OPTIONS, "--calls", "0")
    refused(2, "--fusion", chain, "--fusion-report", "--fusion", "perhaps")
    refused(2, "--graph", chain, *OPTIONS, "--graph")
    refused(2, "--stage", chain, *OPTIONS, "--stage", "frozen")
    refused(2, "--calls", chain, "--calls", "2")
    refused(2, "--source", chain, "--graph", "--source")
    refused(2, "no method 'gone'", chain, *OPTIONS, "--method", "gone")
    refused(3, "cannot", tmp_path / "gone.pt", *OPTIONS)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this host has CUDA")
def test_a_device_that_is_not_here_is_refused(chain: Path, refused: Callable[..., None]) -> None:
    refused(6, "no CUDA", chain, *OPTIONS, "--device", "cuda")
    with pytest.raises(UnavailableError):
        kit.load(chain, device="cuda:9", configuration=FUSED)


def test_inputs_of_another_kind_are_refused(tmp_path: Path) -> None:
    one = torch.rand(2, 4)
    model = kit.load(kit.export(Chain(), one, tmp_path / "model.pt"), engine="torchscript")
    wanted = "takes a list of tensors, not"
    for inputs, what in ((one, "a Tensor"), (None, "a NoneType"), ([one, 3], "a list with a int in it")):
        with pytest.raises(InputError, match=f"graph {wanted} {what}; give one for each input"):
            model.graph("optimized", inputs)  # type: ignore[arg-type]
        with pytest.raises(InputError, match=f"each case of fusion {wanted} {what}; give one for each"):
            model.fusion([inputs])  # type: ignore[list-item]
    with pytest.raises(InputError, match="fusion takes a list of cases, not a Tensor; give a list of tens"):
        model.fusion(one)  # type: ignore[arg-type]
    for calls in (1 << 31, 1.5, True):
        with pytest.raises(UsageError, match=r"calls is .*; give a whole number from 1 to 2147483647"):
            model.fusion([[one]], calls=calls)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="there is no stage None; give traced, frozen or optimized"):
        model.graph(None)  # type: ignore[arg-type]
