"""Shapes at the edge: scalars, empty batches, views, fixed sizes, and two dims that inputs share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import kit
from tests.parity.zoo.registry import BATCH, member


class Loss(nn.Module):
    """x, y: float32[batch, 3] → their mean squared difference, a tensor without dimensions."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return nn.functional.mse_loss(x, y)


@member
def scalar_output() -> kit.Recipe:
    return kit.Recipe(
        Loss(), args=(torch.randn(2, 3), torch.randn(2, 3)), dynamic={"x": {0: BATCH}, "y": {0: BATCH}}
    )


class Scale(nn.Module):
    """x: float32[batch, 3] and a factor without dimensions → float32[batch, 3]."""

    def forward(self, x: Tensor, factor: Tensor) -> Tensor:
        return x * factor


@member
def scalar_input() -> kit.Recipe:
    return kit.Recipe(Scale(), args=(torch.randn(2, 3), torch.tensor(0.3)), dynamic={"x": {0: BATCH}})


class PassThrough(nn.Module):
    """x: float32[batch, 3] → x itself, and twice x."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x + x


@member
def output_is_input() -> kit.Recipe:
    return kit.Recipe(
        PassThrough(),
        args=(torch.randn(2, 3),),
        dynamic={"x": {0: BATCH}},
        names={"outputs": ["same", "twice"]},
    )


class Views(nn.Module):
    """Outputs that share memory or have gaps in it: a transpose, a broadcast, every other column."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        y = x.tanh()
        return y.transpose(1, 2), y[:, :1, :1].expand(-1, 3, 2), y[:, :, ::2]


@member
def strided_outputs() -> kit.Recipe:
    return kit.Recipe(Views(), args=(torch.randn(2, 4, 6),), dynamic={"x": {0: BATCH}})


@member
def strided_input() -> kit.Recipe:
    """The golden inputs are transposed views."""
    cases = [(torch.randn(5, batch).t(),) for batch in (2, 3)]
    return kit.Recipe(nn.Linear(5, 2), args=cases[0], dynamic={"input": {0: BATCH}}, cases=cases)


@member
def empty_batch() -> kit.Recipe:
    cases = [(torch.randn(batch, 3),) for batch in (2, 0, 1, 16)]
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    return kit.Recipe(model, args=cases[0], dynamic={"input": {0: kit.Dim("batch", 0, 16)}}, cases=cases)


@member
def fixed_shape() -> kit.Recipe:
    return kit.Recipe(
        nn.Sequential(nn.Flatten(0), nn.Linear(6, 2), nn.Softmax(dim=0)), args=(torch.randn(2, 3),)
    )


class Pairwise(nn.Module):
    """a: float32[batch, left, 4], b: float32[batch, right, 4] → distances float32[batch, left, right]."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return (a.unsqueeze(2) - b.unsqueeze(1)).square().sum(dim=3).sqrt()


@member
def three_dims() -> kit.Recipe:
    left, right = kit.Dim("left", 1, 8), kit.Dim("right", 1, 8)
    return kit.Recipe(
        Pairwise(),
        args=(torch.randn(2, 3, 4), torch.randn(2, 5, 4)),
        dynamic={"a": {0: BATCH, 1: left}, "b": {0: BATCH, 1: right}},
    )


class Aligned(nn.Module):
    """values and weights: float32[batch, length], batch and length shared → float32[batch]."""

    def forward(self, values: Tensor, weights: Tensor) -> Tensor:
        return (values * weights.softmax(dim=1)).sum(dim=1)


@member
def two_shared_dims() -> kit.Recipe:
    dims = {0: BATCH, 1: kit.Dim("length", 2, 30)}
    return kit.Recipe(
        Aligned(), args=(torch.randn(2, 5), torch.randn(2, 5)), dynamic={"values": dims, "weights": dims}
    )
