"""Tracing: what is recorded, and how the program is called."""

from __future__ import annotations

import re
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import kit
from kit.detaching import data_detached
from kit.eager import Eager
from kit.errors import TraceError
from kit.programs.exported import exported
from kit.programs.torchscript import trace
from kit.recipe import Recipe
from kit.shapes import declared_inputs
from kit.state import evaluating

X = torch.tensor([[1.0, 2.0], [3.0, 4.0]])


def traced(model: Any, *args: Any, **kwargs: Any) -> Any:
    recipe = Recipe(model, args, kwargs)
    with evaluating(model if isinstance(model, nn.Module) else None):
        return trace(Eager(recipe))


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)

    def encode(self, x: Tensor) -> Tensor:
        return self.linear(x) * 2


class Keyword(Layer):
    def forward(self, x: Tensor, *, scale: float, more: list[Tensor]) -> dict[str, Any]:  # type: ignore[override]
        return {"y": self.linear(x) * scale + more[0], "flag": True, "x": [more[1]]}


def test_a_module_of_flat_tensors_is_traced_as_it_is() -> None:
    model = Layer()
    program = traced(model, X)
    assert program.original_name == "Layer"
    assert torch.equal(program(X[:1]), model(X[:1]))
    assert [argument.name for argument in program.forward.schema.arguments] == ["self", "x"]


@pytest.mark.parametrize(
    "model",
    [
        lambda x: (x, x),
        lambda x: x,
        lambda x: (x,),
        lambda x: x.t(),
        lambda x: (x, x + 1, x),
    ],
)
def test_outputs_that_are_inputs_or_each_other(model: Any) -> None:
    class Module(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return model(x)

    program = traced(Module(), X)
    wanted = model(X)
    result = program(X)
    assert isinstance(result, tuple) == isinstance(wanted, tuple)
    for one, other in zip(result, wanted, strict=True):
        assert torch.equal(one, other)


def test_other_models_are_flattened() -> None:
    model = Keyword()
    program = traced(model, X, scale=0.5, more=[X, X + 1])
    y, x = program(X, X * 3, X * 4)
    wanted = model(X, scale=0.5, more=[X * 3, X * 4])
    assert torch.equal(y, wanted["y"])
    assert torch.equal(x, X * 4)


def test_functions_and_methods_are_traced_through_a_module() -> None:
    model = Layer()
    assert torch.equal(traced(torch.sin, X)(X + 1), (X + 1).sin())
    assert torch.equal(traced(lambda x, y: x @ y, X, X)(X, X + 1), X @ (X + 1))
    program = traced(model.encode, X)
    assert torch.equal(program(X), model.encode(X))
    assert [name for name, _ in program.named_parameters()] == ["model.linear.weight", "model.linear.bias"]


def test_the_same_tensor_given_twice_is_two_inputs() -> None:
    program = traced(lambda x, y: x - 2 * y, X, X)
    assert torch.equal(program(X, X + 1), X - 2 * (X + 1))


def test_scripted_modules_stay_what_they_are() -> None:
    model = torch.jit.script(nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
    assert traced(model, X) is model


def test_constants_made_of_numbers_are_no_lie() -> None:
    program = traced(lambda x: x * torch.tensor([2.0, 3.0]), X)
    assert torch.equal(program(X[:1]), X[:1] * torch.tensor([2.0, 3.0]))


def test_assertions_in_torchs_own_code_are_no_lie() -> None:
    model = nn.MultiheadAttention(2, 1, batch_first=True)
    x = X[None]
    program = traced(model, x, x, x)
    with torch.no_grad():
        assert torch.equal(program(x, x, x)[0], model.eval()(x, x, x)[0])


def test_a_model_that_cannot_be_traced_is_named_with_its_line() -> None:
    def model(x: Tensor) -> Tensor:
        if torch._C._is_tracing():
            raise ValueError("not while\ntracing")
        return x

    with pytest.raises(
        TraceError, match=r"test_torchscript\.py:\d+: it cannot be traced: ValueError: not while$"
    ):
        traced(model, X)


class PartlyCompiled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.compile(nn.Linear(2, 2), backend="eager")

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x).relu()


@pytest.mark.parametrize("model", [torch.compile(nn.ReLU(), backend="eager"), PartlyCompiled()])
def test_what_torch_compile_made_is_not_traced(model: nn.Module) -> None:
    message = (
        r"it cannot be traced, for torch\.compile made .*; export the model as it was given to torch\.compile"
    )
    with pytest.raises(TraceError, match=message):
        traced(model, torch.ones(2, 2))


def test_an_operation_that_torch_cannot_record() -> None:
    message = r"^model: it cannot be traced: torch does not record aten::view of \(Tensor, int\) so that"

    def model(x: Tensor) -> Tensor:
        return x.view(torch.int32) & 0xFF

    with pytest.raises(TraceError, match=message):
        traced(model, X)
    (finding,) = kit.lint(model, X)
    assert re.match(message, str(finding))


def test_no_warning_of_torchs_and_every_one_of_the_users_comes_through() -> None:
    def model(x: Tensor) -> Tensor:
        warnings.warn("from the model", UserWarning, stacklevel=1)
        return x + 1

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        traced(model, X)
    assert {str(one.message) for one in caught} == {"from the model"}
    assert {Path(one.filename).name for one in caught} == {"test_torchscript.py"}


def clamped(x: Tensor) -> Tensor:
    y = x * 2
    y.data.clamp_(max=10)
    return y


def test_what_is_written_through_data_is_recorded() -> None:
    assert torch.equal(traced(clamped, X)(X * 10), clamped(X * 10))
    eager = Eager(Recipe(clamped, (X,)))
    program = exported(eager, declared_inputs(eager, Recipe(clamped, (X,))), [X])
    assert torch.equal(program.module()(X * 10)[0], clamped(X * 10))
    assert "data" not in vars(Tensor)


def test_data_is_as_ever_in_other_threads() -> None:
    versions = []

    def write(tensor: Tensor) -> None:
        tensor.data.add_(1)
        versions.append(tensor._version)

    with data_detached():
        thread = threading.Thread(target=write, args=(torch.zeros(2),))
        thread.start()
        thread.join()
        write(torch.zeros(2))
    assert versions == [0, 1]
