"""kit.layers: which submodule is the first that differs."""

# No `from __future__ import annotations`: torch.jit.script needs the annotations themselves.

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import kit
from kit.errors import ParityError, UsageError
from kit.layerwise.report import Layer, LayersReport
from kit.layerwise.search import layers
from tests.parity.zoo import ZOO

X = torch.tensor([[1.0, -2.0, 3.0, 0.5], [4.0, 5.0, -6.0, 2.0]])


class Branch(nn.Module):
    """Computes one of two things, as only a script can."""

    def __init__(self) -> None:
        super().__init__()
        self.rare = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        if bool(x.sum() > 1e6):
            x = self.rare(x)
        return x * 2


class Pieces(nn.Module):
    """Returns a tuple and a dict in another order than that of their use, and one that nobody uses."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.b = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        a, b = self.a(x), self.b(x)
        return a, {"b": b, "sum": a + b, "unused": a * b}


class Net(nn.Module):
    """Nested, repeated and scripted submodules; one changes its input in place, one has no effect."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.pieces = Pieces()
        self.act = nn.ReLU(inplace=True)
        self.scale = nn.Parameter(torch.ones(4))
        self.block = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
        self.branch = torch.jit.script(Branch())
        self.same = nn.Identity()
        self.head = nn.Linear(4, 2)
        self.alias = self.block

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        a, rest = self.pieces(x)
        y = self.act(rest["sum"]) + rest["b"] - a
        y = self.alias(self.block(y) * self.scale)
        return {"logits": self.head(self.same(self.branch(y))), "y": y.clone()}


def recipe(model: Any) -> kit.Recipe:
    return kit.Recipe(model, X, dynamic={"x": {0: kit.Dim("batch", 1, 32)}}, cases=3)


def export(model: Any, path: Path) -> Path:
    kit.export(recipe(model), path=path)
    return path


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(Net(), tmp_path_factory.mktemp("layers") / "model.pt")


def changed(name: str, by: float = 0.25) -> Net:
    model = Net()
    with torch.no_grad():
        model.get_parameter(name).view(-1)[0] += by
    return model


def by_title(report: LayersReport) -> dict[str, Layer]:
    return {layer.title: layer for layer in report.layers}


def test_the_same_model_is_bit_equal(archive: Path) -> None:
    model = Net()
    model.train()
    state = torch.get_rng_state()
    report = layers(recipe(model), archive)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.head.training
    assert not model.head._forward_hooks
    assert report.passed
    assert report.first is None
    report.raise_for_failure()
    assert list(by_title(report)) == [
        *("pieces.a", "pieces.b", "pieces", "act"),
        *("block.0", "block.1", "block", "block.0 (call 2)", "block.1 (call 2)", "block (call 2)"),
        *("branch", "same", "head"),
    ]
    compared = [layer for layer in report.layers if layer.name != "same"]
    assert all(layer.difference is not None and layer.difference.bit_equal for layer in compared)
    rows = by_title(report)
    assert (rows["act"].kind, rows["act"].shape) == ("ReLU", "float32[2, 4]")
    assert rows["branch"].kind == "Branch"
    assert rows["pieces"].shape == "float32[2, 4] and 3 more"
    assert rows["pieces"].note == "the archive does not use 1 of 4"
    assert rows["same"].difference is None
    assert [one.name for one in report.outputs] == ["logits", "y"]
    assert list(report.unseen) == ["branch.rare"]
    assert report.summary == "agrees: 12 calls of submodules, the outputs and all runs are bit-equal"


@pytest.mark.parametrize(
    ("parameter", "first", "kind"),
    [
        ("pieces.b.bias", "pieces.b", "Linear"),
        ("block.0.weight", "block.0", "Linear"),
        ("head.bias", "head", "Linear"),
    ],
)
def test_a_changed_weight_is_found(archive: Path, parameter: str, first: str, kind: str) -> None:
    report = layers(recipe(changed(parameter)), archive)
    assert report.first is not None
    assert (report.first.name, report.first.call, report.first.kind) == (first, 1, kind)
    assert report.first.difference is not None
    assert report.inputs == "agree"
    logits = report.outputs[0]
    assert logits.differs
    assert re.fullmatch(
        rf"first difference: {first} \({kind}\), [\d.]+ absolute in case \d, given the same inputs; "
        r"[\d.e-]+ absolute at output 'logits'(, [\d.e-]+ absolute at output 'y')?",
        report.summary,
    )
    with pytest.raises(ParityError, match=rf"model\.pt: first difference: {first} .*export it again"):
        report.raise_for_failure()


def test_the_size_of_the_difference(archive: Path) -> None:
    report = layers(recipe(changed("head.bias", 0.5)), archive)
    assert [layer.title for layer in report.layers if layer.differs] == ["head"]
    assert report.layers[-1].difference is not None
    assert report.layers[-1].difference.max_abs == pytest.approx(0.5, abs=1e-6)
    assert [one.differs for one in report.outputs] == [True, False]


def test_what_is_computed_between_submodules_shows_at_the_inputs_of_the_next(archive: Path) -> None:
    report = layers(recipe(changed("scale")), archive)
    assert report.first is not None
    assert report.first.title == "block.0 (call 2)"
    assert report.inputs == "differ"
    assert "whose inputs differ already, by what is computed after block;" in report.summary


def test_every_run_is_compared_with_eager(archive: Path) -> None:
    report = layers(recipe(changed("head.bias", 0.5)), archive)
    assert [(run.way, run.run) for run in report.runs] == [
        (way, run) for way in ("traced in Python", "torchscript (C++)") for run in (1, 2, 3, 10)
    ]
    for run in report.runs:
        assert run.from_eager.max_abs == pytest.approx(0.5, abs=1e-6)
        assert run.from_first.bit_equal
        assert run.where.endswith("output 'logits'")


def test_json_and_table(archive: Path) -> None:
    report = layers(lambda: recipe(changed("head.bias")), archive)
    value = json.loads(report.to_json())
    assert value["passed"] is False
    assert value["first"] == {"name": "head", "call": 1}
    assert value["inputs"] == "agree"
    assert value["layers"][0]["difference"]["bit_equal"] is True
    assert value["runs"][3]["run"] == 10
    lines = str(report).splitlines()
    assert lines[0] == f"{archive}: 3 cases"
    (marked,) = [line for line in lines if line.startswith(">")]
    assert marked.split()[1:3] == ["head", "Linear"]
    assert any(line.endswith(": branch.rare") for line in lines)
    assert lines[-1] == f"DIFFERS; {report.summary}"


class Hooked(nn.Module):
    """A submodule whose own hook replaces what it returns."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.layer.register_forward_hook(lambda module, args, result: result * 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


def test_hooks_of_the_model_belong_to_the_owner(tmp_path: Path) -> None:
    model = Hooked()
    report = layers(recipe(model), export(model, tmp_path / "model.pt"))
    assert report.passed
    assert report.layers[0].difference is not None
    assert len(model.layer._forward_hooks) == 1


class Handles(nn.Module):
    """A submodule that keeps a value which its owner takes from it, and returns one that is not used."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Keeps()

    def forward(self, x: Tensor) -> Tensor:
        self.inner(x)
        return self.inner.kept * 2


class Keeps(nn.Module):
    kept: Tensor

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self.kept = x.sum(dim=1)
        return x + 1, x + 2


def test_values_that_are_not_returned_are_not_compared(tmp_path: Path) -> None:
    report = layers(recipe(Handles()), export(Handles(), tmp_path / "model.pt"))
    assert report.passed
    assert report.layers[0].note == "the archive uses none of what it returns, only values inside of it"


def double(x: Tensor) -> Tensor:
    return x * 2


def test_a_function_has_no_submodules(tmp_path: Path) -> None:
    path = export(double, tmp_path / "model.pt")
    report = layers(recipe(double), path)
    assert report.passed
    assert report.layers == ()
    assert report.note == "the model is a function, which has no submodules"
    assert str(report).splitlines()[1] == report.note
    report = layers(recipe(lambda x: x * 3), path)
    assert report.first is None
    assert re.fullmatch(r"output 'output' differs, [\d.]+ absolute in case \d", report.summary)


def test_a_scripted_model_is_compared_as_one(tmp_path: Path) -> None:
    model = torch.jit.script(nn.Sequential(nn.Linear(4, 4), nn.ReLU()).eval())
    one = kit.Recipe(model, X, cases=2)
    kit.export(one, path=tmp_path / "model.pt")
    report = layers(one, tmp_path / "model.pt")
    assert report.passed
    assert report.layers == ()
    assert list(report.unseen) == ["0", "1"]
    assert set(report.unseen.values()) == {
        "eager does not call it, or inside of a scripted module or a fused operation"
    }


class Twice(nn.Module):
    def __init__(self, times: int) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.times = times

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.times):
            x = self.layer(x)
        return x


def test_submodules_of_one_side_are_named(tmp_path: Path) -> None:
    report = layers(recipe(Twice(2)), export(Twice(1), tmp_path / "model.pt"))
    assert report.unseen == {"layer": "the archive calls it 1 time, eager 2 times"}
    assert not report.passed
    assert report.layers == ()


def test_a_method_of_a_module(tmp_path: Path) -> None:
    model = Twice(2)
    path = export(model.forward, tmp_path / "model.pt")
    report = layers(recipe(model.forward), path)
    assert report.passed
    assert [layer.title for layer in report.layers] == ["layer", "layer (call 2)"]


def test_an_archive_of_several_methods(tmp_path: Path) -> None:
    one = kit.Recipe(Coded(), X, cases=2, methods={"encode": kit.Method(X, cases=2)})
    kit.export(one, path=tmp_path / "model.pt")
    report = layers(one, tmp_path / "model.pt")
    assert report.passed
    assert report.unseen == {}
    assert [layer.name for layer in report.layers if layer.difference is not None] == ["layer", "act"]


def test_one_of_several_methods(tmp_path: Path) -> None:
    model, path = Coded(), tmp_path / "model.pt"
    one = kit.Recipe(model, X, cases=2, methods={"encode": kit.Method(X, cases=2)})
    kit.export(one, path=path)
    assert [layer.name for layer in layers(one, path, method="encode").layers] == ["layer"]
    nn.init.ones_(model.layer.bias)
    changed = layers(one, path, method="encode")
    assert changed.first is not None
    assert changed.first.name == "layer"
    assert changed.inputs == "agree"
    with pytest.raises(UsageError, match="has no method 'decode'"):
        layers(one, path, method="decode")


class Coded(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.act = nn.Tanh()

    def encode(self, x: Tensor) -> Tensor:
        return self.layer(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.encode(x))


def test_recipes_of_another_archive(archive: Path) -> None:
    with pytest.raises(
        UsageError, match=r"takes input, that of .*model\.pt x; give the recipe of this archive"
    ):
        layers(kit.Recipe(nn.ReLU(), X), archive)
    with pytest.raises(UsageError, match=r"returns output, that of .* logits, y"):
        layers(kit.Recipe(nn.Linear(4, 2), X, names={"inputs": ["x"]}), archive)


@pytest.mark.parametrize(
    "name", ["residual_blocks", "lstm", "multihead_attention", "shared_submodule", "keywords", "bfloat16"]
)
def test_members_of_the_zoo(name: str, tmp_path: Path) -> None:
    one = ZOO[name]()
    if isinstance(one.cases, int):
        one.dynamic = {}  # sizes are not what is tested here
    kit.export(one, path=tmp_path / "model.pt")
    report = layers(one, tmp_path / "model.pt")
    assert report.passed, str(report)
    assert report.layers
    other = copy.deepcopy(one)
    name, parameter = list(other.model.named_parameters())[-1]
    with torch.no_grad():
        parameter += 0.5
    report = layers(other, tmp_path / "model.pt")
    assert report.first is not None
    owner = name.rpartition(".")[0]
    assert owner == report.first.name or owner.startswith(report.first.name + ".")
    assert report.unseen == {}
