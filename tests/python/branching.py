"""Functions and modules that branch, annotated as TorchScript needs it."""

# No `from __future__ import annotations`: torch.jit.script needs the annotations themselves.

import torch
from torch import Tensor, nn


def signed(x: Tensor) -> Tensor:
    if bool(x.sum() > 0):
        return x * 2
    return x - 1


def unsigned(x: Tensor) -> Tensor:
    """No random values find the first way."""
    if bool(x.sum() == 12345.678):
        return x * 3
    return x


def nested(x: Tensor) -> Tensor:
    if bool(x.sum() > 0):
        if bool(x[0, 0] > 0):
            return x * 2
        return x * 3
    return -x


def halved(x: Tensor) -> Tensor:
    while bool(x.abs().sum() > 1):
        x = x / 2
    return x


def above_eight_rows(x: Tensor) -> Tensor:
    if x.size(0) > 8:
        return x * 2
    return x


def summed_up(x: Tensor) -> Tensor:
    total = torch.zeros_like(x[0])
    for index in range(x.shape[0]):
        total = total + x[index]
    return x + total


def clamped(x: Tensor) -> Tensor:
    if bool(x.min() < 0):
        x = x - x.min()
    if bool(x.max() > 3):
        x = x / x.max()
    return x


def scaled(x: Tensor, count: Tensor) -> Tensor:
    """The model gets a number; in the program it is a tensor."""
    if count > 2:
        return x * count
    return -x


def repeated(x: Tensor, count: int) -> Tensor:
    if count > 2:
        return x * count
    return -x


def contains(x: Tensor) -> Tensor:
    """TorchScript has no sets."""
    known = {1, 2}
    if bool(x.sum() > 0) and 1 in known:
        return x * 2
    return x


class Gate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        if bool(x.mean() > 0):
            return torch.relu(self.linear(x))
        return -x


class Trained(nn.Module):
    """Layers that do something else in training."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        if bool(x.mean() > 0):
            return self.dropout(torch.nn.functional.relu(self.norm(x)))
        return -x


class Helper(Gate):
    """The branch is in a method."""

    def pick(self, x: Tensor) -> Tensor:
        if bool(x.mean() > 0):
            return self.linear(x)
        return -x

    def forward(self, x: Tensor) -> Tensor:
        return self.pick(x) + 1
