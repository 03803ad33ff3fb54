"""Names that torch cannot read again in a program are named, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import kit
from kit.errors import TraceError
from kit.programs.canonical import canonical
from kit.programs.torchscript import trace_module


class Scaled(nn.Module):
    """x times what it has under the name."""

    def __init__(self, name: str, kind: str = "buffer") -> None:
        super().__init__()
        self.name = name
        if kind == "buffer":
            self.register_buffer(name, torch.arange(3.0))
        elif kind == "parameter":
            self.register_parameter(name, nn.Parameter(torch.ones(3)))
        else:
            self.add_module(name, nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        held = getattr(self, self.name)
        found: Tensor = held(x) if isinstance(held, nn.Module) else x * held
        return found


class Größe(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2


def through_canonical(module: nn.Module) -> torch.jit.ScriptModule:
    return canonical(trace_module(module, {"forward": [torch.ones(2, 3)]}))[1]


@pytest.mark.parametrize("kind", ["parameter", "buffer", "submodule"])
@pytest.mark.parametrize("name", ["größe", "class", "None", "return", 'a"b'])
def test_what_is_to_be_renamed_is_named(name: str, kind: str) -> None:
    with pytest.raises(
        TraceError, match=rf"the name of the {kind} '{name}' of Scaled; rename it: take ASCII"
    ):
        through_canonical(nn.Sequential(nn.Tanh(), Scaled(name, kind)))


def test_a_parameter_that_would_hide_torch_is_named() -> None:
    with pytest.raises(TraceError, match="the parameter 'torch' of Scaled"):
        through_canonical(Scaled("torch", "parameter"))


def test_all_are_named_at_once() -> None:
    with pytest.raises(TraceError, match="the buffer 'class' of Scaled, the submodule 'größe' of Scaled;"):
        through_canonical(nn.Sequential(Scaled("class"), Scaled("größe", "submodule")))


def test_classes_are_named() -> None:
    with pytest.raises(TraceError, match=r"the name of the class 'tests\.python\.test_names\.Größe'; rename"):
        through_canonical(nn.Sequential(Größe(), Größe()))


def test_inputs_are_named_by_an_export(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="the name of the input 'größe'; rename it"):
        kit.export(lambda größe: größe * 2, args=(torch.ones(2),), path=tmp_path / "model.pt")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a b", "0", "lambda", "int", "CONSTANTS", "self"])
def test_names_that_can_be_read_are_not_refused(name: str) -> None:
    x = torch.randn(2, 3)
    assert torch.equal(through_canonical(Scaled(name))(x), Scaled(name)(x))


def test_a_name_that_is_not_used_may_be_anything_that_torch_can_read() -> None:
    module = nn.Tanh()
    module.register_buffer("größe", torch.ones(3))
    x = torch.randn(2, 3)
    assert torch.equal(through_canonical(module)(x), x.tanh())


def test_another_failure_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("of another kind")

    monkeypatch.setattr("kit.programs.canonical._loaded", fail)
    with pytest.raises(RuntimeError, match="of another kind"):
        through_canonical(nn.Tanh())
