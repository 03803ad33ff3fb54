"""Whatever names a device leaves one in the graph, and so no call is watched where there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kit.eager import Eager
from kit.guards.devices import holds_device
from kit.programs.recording import record
from kit.recipe import Recipe

X = torch.ones(3)

pytestmark = pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")  # of constants


@pytest.mark.parametrize(
    "model",
    [
        lambda x: x + torch.ones(3, device="cpu"),
        lambda x: x + torch.arange(3, device=x.device),
        lambda x: x + torch.full_like(x, 2, device="cpu"),
        lambda x: x + x.new_zeros(3, device="cpu"),
        lambda x: x + torch.scalar_tensor(1, device="cpu"),
        lambda x: x + torch.tensor([1.0, 2, 3], device="cpu"),
        lambda x: x + torch.as_tensor([1.0, 2, 3], device="cpu"),
        lambda x: x + torch.asarray([1.0, 2, 3], device="cpu"),
        lambda x: x.to("cpu") + 1,
        lambda x: x.to(torch.device("cpu"), torch.float64) + 1,
        lambda x: x.cpu() + 1,
        lambda x: nn.Linear(3, 3, device="cpu")(x),
    ],
)
def test_a_device_that_is_named_is_held(model: Callable[..., Any]) -> None:
    assert holds_device(record(Eager(Recipe(model, X))).graph)


def _plain(x: Tensor) -> Tensor:
    return nn.functional.gelu(x.double() * 2 + x.shape[0]).reshape(1, -1)


def test_a_graph_without_a_device_holds_none() -> None:
    assert not holds_device(record(Eager(Recipe(_plain, X))).graph)
