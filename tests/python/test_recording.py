"""Recording: what the guards see of a model, and that it is what its program holds."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.jit._trace import TracerWarning

from kit.eager import Eager
from kit.guards.graph import all_nodes, what_runs
from kit.programs.recording import record
from kit.programs.torchscript import trace
from kit.recipe import Recipe
from kit.state import evaluating

X = torch.tensor([[1.0, 2.0], [3.0, 4.0]])


def test_what_became_a_python_value_is_recorded_with_its_line() -> None:
    def model(x: Tensor) -> Tensor:
        if x.sum() > 0:
            return x * float(x.mean())
        return x

    found = record(Eager(Recipe(model, X)))
    assert [(event.word, event.outcome) for event in found.events] == [("bool", True), ("number", 2.5)]
    places = [event.place for event in found.events if event.place is not None]
    assert [place.code for place in places] == ["if x.sum() > 0:", "return x * float(x.mean())"]
    assert {Path(place.path).name for place in places} == {"test_recording.py"}
    assert found.warnings == []


def test_what_torch_alone_warns_of_is_kept() -> None:
    def model(x: Tensor) -> Tensor:
        if torch._C._is_tracing():
            warnings.warn("It may be wrong. Or not", TracerWarning, stacklevel=1)
        return x * torch.tensor([2.0, 3.0]) + torch.stack([row.sum() for row in x])

    ((reason, path, line),) = record(Eager(Recipe(model, X))).warnings
    assert reason == "It may be wrong"
    assert "TracerWarning" in Path(path).read_text().splitlines()[line - 1]


class Layers(nn.Module):
    def __init__(self, plain: nn.Module) -> None:
        super().__init__()
        self.plain = plain
        self.tied = plain
        self.register_buffer("shift", torch.ones(2))
        self.table = torch.arange(4.0).reshape(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.tied(self.plain(x)) * self.shift + self.table.sum()


@pytest.mark.parametrize("script", [False, True])
def test_the_graph_has_the_operations_of_the_program(script: bool) -> None:
    plain = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    model = Layers(torch.jit.script(plain) if script else plain)
    with evaluating(model):
        eager = Eager(Recipe(model, X))
        recorded, program = record(eager), trace(eager)
    graph = what_runs(program.inlined_graph) if script else program.inlined_graph
    assert _operations(recorded.graph) == _operations(graph)
    held = [] if script else ["table", "shift", "plain.0.weight", "plain.0.bias"]
    assert sorted(recorded.state) == sorted(held)
    assert len(recorded.arguments) == 1


def _operations(graph: Any) -> list[str]:
    return [node.kind() for node in all_nodes(graph) if node.kind().startswith("aten::")]


def test_what_the_model_returned_is_known() -> None:
    eager = Eager(Recipe(lambda x: {"twice": x * 2, "rows": x[0]}, X))
    outputs = record(eager, [X + 1]).outputs
    assert outputs is not None
    assert [output.tolist() for output in outputs] == [[[4, 6], [8, 10]], [2, 3]]


def test_what_nests_otherwise_while_it_is_recorded_is_not_known() -> None:
    eager = Eager(Recipe(lambda x: (x * 2, int(x.shape[0])), X))
    assert record(eager).outputs is not None
    assert record(eager, [torch.ones(3, 2)]).outputs is None


def test_hooks_of_modules_are_called() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    model[0].register_forward_hook(lambda module, inputs, output: output.neg())
    model[1].register_forward_pre_hook(lambda module, inputs: inputs[0].abs())
    everywhere = nn.modules.module.register_module_forward_hook(
        lambda module, inputs, output: output.cos() if isinstance(module, nn.ReLU) else None
    )
    try:
        with evaluating(model):
            recorded = record(Eager(Recipe(model, X)))
    finally:
        everywhere.remove()
    kinds = [kind.removeprefix("aten::") for kind in _operations(recorded.graph)]
    assert kinds == ["linear", "neg", "abs", "relu", "cos"]


class Longest(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table: Tensor
        self.register_buffer("table", torch.zeros(2, 1))

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > len(self.table):
            self.register_buffer("table", torch.zeros(len(x), 1))
        return x + self.table[: x.shape[0]]


def test_where_buffers_or_inputs_change_the_model_itself_is_asked() -> None:
    with evaluating(model := Longest()):
        eager = Eager(Recipe(model, X))
        assert record(eager).outputs is not None
        assert record(eager, [torch.ones(3, 2)]).outputs is None
        assert model.table.shape == (2, 1)
    eager = Eager(Recipe(lambda x: x.mul_(2) if x[0, 0] > 1 else x, X))
    assert record(eager).outputs is not None
    assert record(eager, [X + 1]).outputs is None
