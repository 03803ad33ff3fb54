"""Layers that normalise, and those that act otherwise in training than in evaluation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import kit
from tests.parity.zoo.registry import BATCH, member


@member
def batch_norm() -> kit.Recipe:
    """Running statistics far from 0 and 1, so that using the batch's own would show."""
    norm = nn.BatchNorm1d(6)
    norm.running_mean = torch.randn(6) * 2 + 3
    norm.running_var = torch.rand(6) * 5 + 0.1
    with torch.no_grad():
        norm.weight.normal_()
        norm.bias.normal_()
    return kit.Recipe(
        nn.Sequential(nn.Linear(4, 6), norm), args=(torch.randn(3, 4),), dynamic={"input": {0: BATCH}}
    )


@member
def layer_norm() -> kit.Recipe:
    model = nn.Sequential(nn.LayerNorm([5, 7]), nn.Linear(7, 3), nn.LayerNorm(3, elementwise_affine=False))
    return kit.Recipe(model, args=(torch.randn(2, 5, 7),), dynamic={"input": {0: BATCH}})


@member
def group_norm() -> kit.Recipe:
    model = nn.Sequential(nn.GroupNorm(2, 6), nn.Hardswish(), nn.InstanceNorm1d(6, affine=True))
    return kit.Recipe(model, args=(torch.randn(2, 6, 9),), dynamic={"input": {0: BATCH}})


@member
def dropout() -> kit.Recipe:
    """Given in training mode, as it comes out of a training loop: the export must evaluate."""
    model = nn.Sequential(nn.Dropout(0.9), nn.Linear(5, 5), nn.AlphaDropout(0.9))
    return kit.Recipe(model.train(), args=(torch.randn(2, 5),), dynamic={"input": {0: BATCH}})


class Shared(nn.Module):
    """One submodule under two names and used three times; its weights must be stored once."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 6)
        self.second = self.first

    def forward(self, x: Tensor) -> Tensor:
        return self.first(torch.tanh(self.second(torch.tanh(self.first(x)))))


@member
def shared_submodule() -> kit.Recipe:
    return kit.Recipe(Shared(), args=(torch.randn(2, 6),), dynamic={"x": {0: BATCH}})
