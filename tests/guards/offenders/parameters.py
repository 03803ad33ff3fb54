"""Models whose parameters cannot go into a program as they are."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from tests.guards.registry import offender


@offender("meta-parameter")
class NotLoaded(nn.Module):
    """Its weights have shapes and no values."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2, device="meta")

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


@offender("meta-parameter")
class MetaBuffer(nn.Module):
    """One buffer was forgotten."""

    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(3, device="meta"))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


@offender("shared-parameter")
class TwoNames(nn.Module):  # pytorch/pytorch#22911
    """One parameter under two names of the same module."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 3))
        self.logits = self.weight

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight + x @ self.logits.T


@offender("other-device")
class OnTwoDevices(nn.Module):
    """A buffer stayed on a GPU. (It is a fake one, so that the test needs none.)"""

    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)
        with FakeTensorMode():
            self.register_buffer("scale", torch.ones(2, device="cuda"))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) * self.scale
