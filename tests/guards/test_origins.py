"""What values of a graph depend on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from kit.guards.graph import returned, tensor_inputs
from kit.guards.origins import Origins, Tracer

pytestmark = pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")  # of constants


def origins_of(function: Callable[..., Any]) -> Origins:
    """Of the first tensor that a function of x and y returns."""
    example = (torch.randn(4, 3), torch.randn(4, 3))
    graph = torch.jit.trace(function, example, check_trace=False).graph
    names = {value.unique(): name for value, name in zip(tensor_inputs(graph), "xy", strict=True)}
    return Tracer(graph, names).origins(returned(graph)[:1])


def written_through_a_view(x: Tensor, y: Tensor) -> Tensor:
    table = torch.zeros(4, 3)
    table[0].copy_(x[1])
    return table.sum()


def written_by_index(x: Tensor, y: Tensor) -> Tensor:
    table = torch.zeros(4, 3)
    view = table.view(-1)
    view[torch.tensor([1, 2])] = y[0, :2]
    return table + 1


def read_before_it_is_written(x: Tensor, y: Tensor) -> Tensor:
    first, second = x.t().unbind(0)[:2]
    first = first.clone()
    first[:] = y[:, 0]
    return second


@pytest.mark.parametrize(
    ("function", "data"),
    [
        (lambda x, y: x + 1, "x"),
        (lambda x, y: x * y, "xy"),
        (lambda x, y: torch.ones(2), ""),
        (lambda x, y: torch.zeros_like(x), ""),
        (lambda x, y: x.new_zeros(3) + y, "y"),
        (lambda x, y: torch.full_like(x, 1.0) * y.sum(), "y"),
        (written_through_a_view, "x"),
        (written_by_index, "y"),
        (read_before_it_is_written, "x"),
    ],
)
def test_data(function: Callable[..., Tensor], data: str) -> None:
    assert origins_of(function).data == frozenset(data)


def test_a_size_is_no_data() -> None:
    found = origins_of(lambda x, y: torch.ones(2) * x.shape[0])
    assert not found.data
    assert [node.kind() for node in found.sizes] == ["aten::size"]
    assert not found.wild
    assert not found.constant


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: torch.ones(2) * x[y > 0].shape[0],
        lambda x, y: torch.ones(2) * x.nonzero().shape[0],
        lambda x, y: torch.ones(2) * torch.arange(int_of(y)).shape[0],
        lambda x, y: torch.ones(2) * torch.where(y > 0)[1].shape[0],
        lambda x, y: torch.ones(2) * x[torch.where(y[:, 0] > 0)].shape[0],
        lambda x, y: torch.ones(2) * y.nonzero(as_tuple=True)[0].shape[0],
        lambda x, y: torch.ones(2) * x.repeat_interleave(y[:, 0].long().abs(), 0).shape[0],
        lambda x, y: torch.ones(2) * x[y[:, 0] > 0].T.shape[1],
        lambda x, y: torch.ones(2) * x[:, y[0] > 0][None].shape[2],
        lambda x, y: torch.ones(2) * (x[y[:, 0] > 0] @ x[y[:, 0] > 0].T).shape[1],
    ],
)
def test_the_size_of_a_selection_is_wild(function: Callable[..., Tensor]) -> None:
    assert origins_of(function).wild


def int_of(y: Tensor) -> Any:
    """A number that the trace computes."""
    return y[0, 0].abs().ceil().long()


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: torch.ones(2) * x[y[:, 0] > 0].shape[-1],
        lambda x, y: torch.ones(2) * y.nonzero().shape[1],
        lambda x, y: torch.ones(2) * x[torch.where(y[:, 0] > 0)[0]].permute(1, 0).shape[0],
        lambda x, y: torch.ones(2) * (x[y[:, 0] > 0][None] * 2).transpose(0, -1).shape[0],
        lambda x, y: torch.ones(2) * x.repeat_interleave(1 + 0 * y[:, 0].long(), 0, output_size=4).shape[0],
    ],
)
def test_the_other_sizes_of_a_selection_are_not_wild(function: Callable[..., Tensor]) -> None:
    assert not origins_of(function).wild


def test_the_size_of_rows_that_are_gathered_is_not_wild() -> None:
    assert not origins_of(lambda x, y: torch.ones(2) * x[torch.tensor([0, 1])].shape[0]).wild


def test_weights_are_no_origins() -> None:
    linear = torch.nn.Linear(3, 2)

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = linear

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.linear.weight.sum(), self.linear(x)

    graph = torch.jit.trace(Model(), torch.randn(4, 3)).inlined_graph
    (value,) = tensor_inputs(graph)
    tracer = Tracer(graph, {value.unique(): "x"})
    weight, output = returned(graph)
    assert tracer.origins([weight]).constant
    assert not tracer.reaches_input(weight)
    assert tracer.origins([weight, output]).data == {"x"}
    assert tracer.reaches_input(output)
