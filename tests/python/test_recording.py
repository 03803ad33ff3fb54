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
from kit.guards.graph import all_nodes
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
    assert _operations(recorded.graph) == _operations(program.inlined_graph)
    held = [] if script else ["table", "shift", "plain.0.weight", "plain.0.bias"]
    assert sorted(recorded.state) == sorted(held)
    assert len(recorded.arguments) == 1


def _operations(graph: Any) -> list[str]:
    return [node.kind() for node in all_nodes(graph) if node.kind().startswith("aten::")]
