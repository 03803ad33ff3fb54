"""The eager model as a function of flat tensors, moved to another device."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import kit
from kit.eager import Eager

X = torch.ones(2, 3)


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)

    def twice(self, given: dict[str, Tensor]) -> Tensor:
        return 2 * self.linear(given["x"])


def double(x: Tensor) -> Tensor:
    return x * 2


@pytest.mark.parametrize(
    "device", ["cpu", "meta"]
)  # no values are computed on the one, but shapes and devices
@pytest.mark.parametrize("what", ["module", "method", "function"])
def test_it_is_moved(what: str, device: str) -> None:
    module = Scaled().eval()
    recipe = {
        "module": kit.Recipe(module, X),
        "method": kit.Recipe(module.twice, ({"x": X},)),
        "function": kit.Recipe(double, X),
    }[what]
    eager = Eager(recipe)
    moved = eager.moved(device)
    args, kwargs = moved.rebuild([X.to(device)])
    output = moved.function(*args, **kwargs)
    (expected,) = eager.run([X], "the example")
    assert (output.device.type, output.shape) == (device, expected.shape)
    assert [tensor.device.type for tensor in moved.inputs.values()] == [device]
    if device == "cpu":
        assert torch.equal(output, expected)
    if what != "function":
        assert moved.module is not None
        assert (moved.module is module) == (device == "cpu")  # where it is already
        assert {one.device.type for one in moved.module.parameters()} == {device}
        assert {one.device.type for one in module.parameters()} == {"cpu"}
