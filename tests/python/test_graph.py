"""The graph of a model at each stage, and what led from one to the next."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import kit
from kit import cli
from kit.errors import InputError, UsageError
from kit.graph import Graph
from tests.conftest import Run
from tests.refusal import expect

FUSED = kit.Configuration(fusion=True)


class Sum(nn.Module):
    """7 + 11 + 2 from attributes, and a sum that the model around it does not use: torch folds and drops
    neither while it compiles the source."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = 7, 11, 2

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x + (self.a + self.b + self.c), x.sum()


class Numbers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.sum = Sum()

    def forward(self, x: Tensor) -> Tensor:
        return self.sum(x)[0]


class Literal(nn.Module):
    """The same in one line of source."""

    def forward(self, x: Tensor) -> Tensor:
        unused = x.sum()  # noqa: F841
        return x + (7 + 11 + 2)


class Chain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.m1, self.m2 = nn.Parameter(torch.rand(4, 4)), nn.Parameter(torch.rand(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x * self.m1 + self.m2) @ self.m2

    def scaled(self, x: Tensor) -> Tensor:
        return torch.tanh(x) * self.m1


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graphs")
    x = torch.rand(4, 4)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
        scripted = {"numbers": torch.jit.script(Numbers()), "literal": torch.jit.script(Literal())}
    for name, model in scripted.items():
        kit.export(model, args=(x,), path=folder / f"{name}.pt")
    kit.export(Literal(), args=(x,), path=folder / "recorded.pt")
    scaled = {"scaled": kit.Method(torch.rand(4, 4))}
    kit.export(Chain(), args=(x,), path=folder / "chain.pt", methods=scaled, cases=2)
    return folder


def operations(graph: Graph) -> list[str]:
    return [node.operation for node in graph.nodes if node.operation.startswith("aten::")]


def constants(graph: Graph) -> list[str | None]:
    return [node.constant for node in graph.nodes if node.operation == "prim::Constant"]


def test_numbers_are_folded_and_what_is_unused_goes(made: Path) -> None:
    model = kit.load(made / "numbers.pt")
    traced, frozen = model.graph(), model.graph("frozen")
    assert sorted(operations(traced)) == ["aten::add", "aten::add", "aten::add", "aten::sum"]
    assert operations(frozen) == ["aten::add"]
    assert constants(frozen).count("20") == 1
    diff = frozen.since(traced)
    assert [one["operation"] for one in diff.removed] == ["aten::sum"]
    assert [one["constant"] for one in diff.folded] == ["20"]
    assert diff.folded[0]["expression"] == "aten::add(aten::add(7, 11), 2)"
    words = str(diff)
    assert "from traced, 4 operations, to frozen, 1 operation" in words
    assert "removed, as nothing uses it: aten::sum" in words
    assert "folded into the constant 20 (%" in words


@pytest.mark.parametrize("name", ["literal", "recorded"])
def test_what_torch_drops_at_once_is_at_no_stage(name: str, made: Path) -> None:
    model = kit.load(made / f"{name}.pt")
    for stage in ("traced", "frozen"):
        graph = model.graph(stage)
        assert operations(graph) == ["aten::add"]
        assert constants(graph).count("20") == 1
    assert model.graph("frozen").since(model.graph()).unchanged == 1


def test_a_group_is_named_with_what_is_in_it(made: Path) -> None:
    model = kit.load(made / "chain.pt", configuration=FUSED)
    x = [torch.rand(4, 4)]
    before = model.predict(x)
    graph = model.graph("optimized", x)
    torch.testing.assert_close(model.predict(x)[0], before[0])  # compiled meanwhile: not always the same bits
    (group,) = graph.groups
    inside = {node.operation for node in group}
    assert {"aten::mul", "aten::add", "aten::relu"} <= inside
    diff = graph.since(model.graph())
    assert [one["group"] for one in diff.fused] == [0]
    assert diff.unchanged == 4
    assert any(one["operation"] == "prim::TypeCheck" for one in diff.added)
    # torch takes a matrix product of this size along on the CPU: the words say what is.
    alone = "aten::matmul" not in inside
    assert ("in no group: aten::matmul" in str(diff)) == alone
    assert "fused into group 0: aten::mul, aten::add, aten::relu" in str(diff)


def test_a_group_for_any_size_leaves_the_matrix_product_alone(made: Path) -> None:
    configuration = kit.Configuration(fusion=True, static_depth=0, dynamic_depth=1)
    model = kit.load(made / "chain.pt", configuration=configuration)
    diff = model.graph("optimized", [torch.rand(4, 4)]).since(model.graph())
    assert [one["operation"] for one in diff.fused[0]["operations"]] == [
        "aten::mul",
        "aten::add",
        "aten::relu",
    ]
    assert [(one["operation"], one["pointwise"]) for one in diff.alone] == [("aten::matmul", False)]
    assert "in no group: aten::matmul" in str(diff)
    assert ", it is not pointwise" in str(diff)


def test_freezing_makes_constants_of_weights(made: Path) -> None:
    model = kit.load(made / "chain.pt")
    traced, frozen = model.graph(), model.graph("frozen")
    assert frozen.since(traced).weights == ["model.m1", "model.m2"]
    assert "weights that became constants: model.m1, model.m2" in str(frozen.since(traced))
    assert {node.attribute for node in traced.nodes if node.operation == "prim::GetAttr"} == {
        "model.m1",
        "model.m2",
    }
    assert not [node for node in frozen.nodes if node.operation == "prim::GetAttr"]
    (relu,) = [node for node in traced.nodes if node.operation == "aten::relu"]
    assert relu.line is not None
    assert relu.line.file.startswith("code/__torch__/")
    assert "torch.relu(" in relu.line.text


def test_each_method_has_its_own(made: Path) -> None:
    model = kit.load(made / "chain.pt", method="scaled")
    for stage in ("traced", "frozen", "optimized"):
        graph = model.graph(stage, [torch.rand(4, 4)])
        assert (graph.method, graph.stage) == ("scaled", stage)
        assert operations(graph) == ["aten::tanh", "aten::mul"]


def test_the_simple_executor_shows_what_it_runs(made: Path) -> None:
    model = kit.load(made / "chain.pt", configuration=kit.Configuration(executor="simple"))
    graph = model.graph("optimized", [torch.rand(4, 4)])
    assert operations(graph) == ["aten::mul", "aten::add", "aten::relu", "aten::matmul"]


def test_random_numbers_go_on_as_before(made: Path) -> None:
    model = kit.load(made / "chain.pt")
    torch.manual_seed(1)
    wanted = torch.rand(3)
    torch.manual_seed(1)
    model.graph("optimized", [torch.ones(4, 4)])
    assert torch.equal(torch.rand(3), wanted)


def test_bad_calls_are_refused(made: Path) -> None:
    model = kit.load(made / "chain.pt")
    with pytest.raises(UsageError, match="no stage 'fused'"):
        model.graph("fused")
    with pytest.raises(InputError, match="wanted 1 input"):
        model.graph("optimized")
    with pytest.raises(InputError, match=r"float32\[4, 4\]"):
        model.graph("optimized", [torch.rand(3, 4)])


SHOWN = {
    "traced": ["--graph"],
    "frozen": ["--graph", "--stage", "frozen"],
    "what freezing did": ["--graph", "--stage", "frozen", "--diff"],
    "optimized": ["--graph", "--stage", "optimized", "--case", "1"],
    "what fusion did": ["--graph", "--stage", "optimized", "--diff", "--fusion", "on", "--threads", "1"],
    "another method": ["--graph", "--stage", "optimized", "--diff", "--method", "scaled", "--freeze"],
}


@pytest.mark.parametrize("what", SHOWN)
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_predictor_and_python_show_the_same(
    what: str, form: list[str], made: Path, predictor: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["inspect", str(made / "chain.pt"), *SHOWN[what], *form]
    done = predictor(*command)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert cli.main(command) == 0
    shown = capfd.readouterr().out
    if form:
        document = json.loads(done.stdout)
        assert document == json.loads(shown)
        assert set(document) == {"configuration", "device", "graph"} | (
            {"diff"} if "--diff" in command else set()
        )
        assert document["configuration"]["fusion"] is ("--fusion" in command)
    else:
        assert done.stdout.rstrip("\n") == shown.rstrip("\n")
        assert shown.startswith("from " if "--diff" in command else "graph(")


def test_a_plain_archive_has_a_graph_but_no_cases(archives: Path, predictor: Run) -> None:
    plain = archives / "plain.pt"
    done = predictor("inspect", plain, "--graph", "--stage", "frozen")
    assert done.returncode == 0
    assert "aten::linear" in done.stdout
    assert "no manifest" in done.stderr
    expect(predictor("inspect", plain, "--graph", "--stage", "optimized"), 2, "no manifest", "golden cases")


BAD = {
    "unknown stage": (["--graph", "--stage", "fused"], 2, "fused"),
    "nothing before the trace": (["--graph", "--diff"], 2, "first stage"),
    "stage without graph": (["--stage", "frozen"], 2, "--graph"),
    "device without graph": (["--device", "cuda"], 2, "--graph"),
    "fusion without graph": (["--fusion", "on"], 2, "--graph"),
    "case that is not there": (["--graph", "--stage", "optimized", "--case", "2"], 2, "2 golden cases"),
    "case below zero": (["--graph", "--stage", "optimized", "--case=-1"], 2, "no case -1"),
    "case of a stage without inputs": (["--graph", "--case", "0"], 2, "--stage optimized"),
    "two cases": (["--graph", "--stage", "optimized", "--case", "0", "--case", "1"], 2, "one --case"),
    "no such method": (["--graph", "--method", "nope"], 2, "nope"),
    "no such device": (["--graph", "--device", "tpu"], 2, "tpu"),
    "device that is not there": (["--graph", "--device", "cuda:99"], 6, "cuda:99"),
    "fusion by the simple executor": (["--graph", "--fusion", "on", "--executor", "simple"], 2, "simple"),
}


@pytest.mark.parametrize("option", ["--html", "--stage", "--device", "--method"])
def test_an_option_without_a_value_is_refused(option: str, made: Path) -> None:
    assert (
        cli.main(["inspect", str(made / "chain.pt"), *(["--graph"] * (option != "--html")), option, ""]) == 2
    )


@pytest.mark.parametrize("option", [["--stage", "frozen"], ["--diff"]])
def test_options_of_the_graph_need_it(
    option: list[str], made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(made / "chain.pt")
    assert cli.main(["inspect", path, *option]) == 2
    assert f"{option[0]} needs --graph; see python -m kit inspect --help" in capsys.readouterr().err
    assert cli.main(["inspect", path, *option, "--fusion-report"]) == 2
    assert f"{option[0]} needs --graph, not --fusion-report; drop one of them" in capsys.readouterr().err
    assert cli.main(["inspect", path, *option, "--graph", "--stage", "frozen"]) == 0


@pytest.mark.parametrize("what", BAD)
def test_a_bad_command_line_is_refused(
    what: str, made: Path, predictor: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    options, code, mention = BAD[what]
    command = ["inspect", str(made / "chain.pt"), *options]
    expect(predictor(*command), code, mention)
    assert cli.main(command) == code
    error = capfd.readouterr().err
    assert mention in error
    assert len(error.splitlines()) == 1


class ThreeOfWhichOneIsUsed(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return (
            x * torch.tensor([1.0, 2.0, 3.0]),
            x + torch.tensor([4.0, 5.0, 6.0]),
            x + torch.tensor([7.0, 8.0, 9.0]),
        )


class UsesTheLast(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.jit.script(ThreeOfWhichOneIsUsed())

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.inner(x)[2])


def test_what_nobody_used_is_not_taken_for_what_is(tmp_path: Path) -> None:
    kit.export(UsesTheLast(), torch.randn(2, 3), tmp_path / "model.pt")
    model = kit.load(tmp_path / "model.pt", engine="torchscript")
    words = str(model.graph("frozen").since(model.graph()))
    folded = [line for line in words.splitlines() if "folded into" in line]
    assert any("[7.0, 8.0, 9.0]" in line for line in folded)
    assert not any("[4.0, 5.0, 6.0]" in line for line in folded)
    assert "merged" not in words


def test_layers_of_equal_weights_stay_what_they_are(tmp_path: Path) -> None:
    linear = nn.Linear(3, 3), nn.Linear(3, 3)
    for layer in linear:
        nn.init.zeros_(layer.bias)
    layers = nn.Sequential(nn.LayerNorm(3), nn.ReLU(), nn.LayerNorm(3), *linear)
    kit.export(layers, torch.randn(2, 3), tmp_path / "model.pt")
    model = kit.load(tmp_path / "model.pt", engine="torchscript")
    diff = model.graph("frozen").since(model.graph())
    words = str(diff)
    assert diff.unchanged == 5, words
    assert "rewritten" not in words
    for path in ("0.bias", "0.weight", "2.bias", "2.weight", "3.bias", "3.weight", "4.bias", "4.weight"):
        assert path in words
