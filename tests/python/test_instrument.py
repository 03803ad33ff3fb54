"""Programs that also return what their submodules returned."""

# No `from __future__ import annotations`: torch.jit.script needs the annotations themselves.

from typing import Any, NamedTuple, Optional

import pytest
import torch
from torch import Tensor, nn

from kit.programs.instrument import Call, instrument
from tests.python.nested_model import program

X = torch.tensor([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]])


def traced(model: nn.Module, *inputs: Tensor) -> Any:
    return torch.jit.trace(model.eval(), inputs, check_trace=False)


class Shared(nn.Module):
    """Calls one layer twice, with something in between, and changes a result in place."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)
        self.act = nn.ReLU(inplace=True)
        self.lost = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        self.lost(x)
        return self.layer(self.act(self.layer(x))) + 1


def test_every_call_gives_what_it_returned() -> None:
    model = Shared()
    with torch.no_grad():
        first = model.layer(X)
        second = model.layer(first.relu())
    one = instrument(traced(model, X))
    assert one.calls == [Call("lost", 0), Call("layer", 0), Call("act", 0), Call("layer", 1)]
    assert one.unseen == {}
    results = one.run([X])
    assert torch.equal(results.outputs, second + 1)
    assert torch.equal(results.returned[Call("layer", 0)], first)  # and not what ReLU made of it
    assert torch.equal(results.returned[Call("act", 0)], first.relu())
    assert torch.equal(results.returned[Call("layer", 1)], second)
    assert results.returned[Call("lost", 0)] is None


def test_runs_are_the_same_and_leave_the_program_and_the_inputs_alone() -> None:
    module = traced(Shared(), X)
    before = str(module.forward.graph), module(X).detach()
    one = instrument(module)
    given = X.clone()
    for _ in range(4):
        assert torch.equal(one.run([given]).outputs, before[1])
    assert torch.equal(given, X)
    assert str(module.forward.graph) == before[0]


def test_arguments_of_a_call() -> None:
    module = traced(Shared(), X)
    one = instrument(module, arguments_of=Call("layer", 1))
    results = one.run([X])
    (given,) = results.given
    assert torch.equal(given, results.returned[Call("act", 0)])
    assert instrument(module, arguments_of=Call("layer", 2)).run([X]).given == []


def test_nested_shared_and_scripted_modules() -> None:
    module = program()
    one = instrument(module)
    paths = [call.path for call in one.calls]
    assert paths[:9] == ["first", *["block", "block.0", "block.1", "block.2"] * 2]
    assert {"scripted", "scripted.layers.0", "scripted.layers.1", "encoder.norm2"} <= set(paths)
    assert one.unseen == {}
    results = one.run([torch.ones(2, 3)])
    expected = module(torch.ones(2, 3))
    assert all(torch.equal(a, b) for a, b in zip(results.outputs, expected, strict=True))
    assert torch.equal(results.returned[Call("block", 1)], results.returned[Call("block.2", 1)])


class Pair(NamedTuple):
    first: Tensor
    second: Optional[Tensor]  # noqa: UP045 - TorchScript on Python 3.10 knows no `Tensor | None` in a tuple


class Nest(nn.Module):
    def forward(self, x: Tensor) -> tuple[Pair, dict[str, list[Tensor]], tuple[Tensor], int]:
        return Pair(x, None), {"a": [x, x * 2]}, (x,), 3


class Helper(nn.Module):
    """Calls a method that is not forward, which calls a submodule; and one submodule in a branch."""

    def __init__(self) -> None:
        super().__init__()
        self.nest = Nest()
        self.layer = nn.Linear(3, 3)
        self.rare = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        nest = self.nest(x.clone())
        nest[0].first.add_(1)
        y = self.help(nest[0].first)
        if bool(y.sum() > 1000):
            y = self.rare(y)
        return y

    @torch.jit.export
    def help(self, x: Tensor) -> Tensor:
        return self.layer(x)


def test_nests_are_copied_and_branches_are_told() -> None:
    one = instrument(torch.jit.script(Helper().eval()))
    assert one.calls == [Call("nest", 0), Call("layer", 0)]
    assert list(one.unseen) == ["rare"]
    assert "in a branch" in one.unseen["rare"]
    pair, entries, single, number = one.run([X]).returned[Call("nest", 0)]
    assert torch.equal(pair[0], X)
    assert pair[1] is None
    assert [tensor.tolist() for tensor in entries["a"]] == [X.tolist(), (X * 2).tolist()]
    assert torch.equal(single[0], X)
    assert number == 3


class Future(nn.Module):
    def forward(self, x: Tensor) -> torch.jit.Future[Tensor]:
        return torch.jit.fork(torch.relu, x)


class Waits(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.future = Future()

    def forward(self, x: Tensor) -> Tensor:
        return torch.jit.wait(self.future(x))


def test_what_cannot_be_copied_is_told() -> None:
    one = instrument(torch.jit.script(Waits()))
    assert one.calls == []
    assert one.unseen == {"future": "it returns a Future[Tensor], which cannot be copied"}
    results = one.run([X])
    assert torch.equal(results.outputs, X.relu())
    assert results.returned == {}


class Plain(nn.Module):
    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, x: Tensor) -> Any:
        return x + 1 if self.outputs == 1 else (x + 1, x)


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_program_without_submodules(outputs: int) -> None:
    results = instrument(traced(Plain(outputs), X)).run([X])
    assert results.returned == {}
    assert torch.equal(results.outputs if outputs == 1 else results.outputs[0], X + 1)
