"""The first place at which two graphs differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from kit.guards.difference import first_difference
from kit.guards.evidence import Trace

pytestmark = pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")  # of constants


def graph(function: Callable[..., Any], *example: Tensor) -> Trace:
    return Trace(torch.jit.trace(function, example, check_trace=False).graph)


def double(x: Tensor) -> Tensor:
    return x * 2 + torch.arange(x.shape[0])[:, None]


def test_the_same_operations_do_not_differ() -> None:
    assert first_difference(graph(double, torch.ones(4, 3)), graph(double, torch.zeros(7, 3))) is None


def test_what_was_recorded_is_compared_not_what_is_left_of_it() -> None:
    one, other = graph(torch.relu, torch.ones(3)), graph(torch.tanh, torch.ones(3))
    assert first_difference(replace(one, recorded=other.graph), other) is None
    assert first_difference(one, replace(one, recorded=other.graph)) is not None


def test_another_number_differs() -> None:
    found = first_difference(graph(lambda x: x * 2, torch.ones(3)), graph(lambda x: x * 3, torch.ones(3)))
    assert found is not None
    assert [float(node.output().toIValue()) for node in found] == [2, 3]


def test_another_operation_differs() -> None:
    found = first_difference(graph(torch.relu, torch.ones(3)), graph(torch.tanh, torch.ones(3)))
    assert found is not None
    assert [node.kind() for node in found] == ["aten::relu", "aten::tanh"]


def test_another_input_differs() -> None:
    pair = torch.ones(3), torch.ones(3)
    found = first_difference(graph(lambda x, y: x.exp(), *pair), graph(lambda x, y: y.exp(), *pair))
    assert found is not None
    assert found[0].kind() == "aten::exp"


def test_a_longer_graph_differs() -> None:
    found = first_difference(
        graph(lambda x: x.exp(), torch.ones(3)), graph(lambda x: x.exp().exp(), torch.ones(3))
    )
    assert found is not None


def test_constants_that_are_nan_do_not_differ() -> None:
    one = graph(lambda x: x * torch.tensor([float("nan"), 1.0]), torch.ones(2))
    other = graph(lambda x: x * torch.tensor([float("nan"), 1.0]), torch.ones(2))
    assert first_difference(one, other) is None


def test_a_constant_of_another_shape_differs() -> None:
    one = graph(lambda x: x * torch.tensor([1.0, 2.0]), torch.ones(1, 1))
    other = graph(lambda x: x * torch.tensor([1.0, 2.0, 3.0]), torch.ones(1, 1))
    assert first_difference(one, other) is not None
