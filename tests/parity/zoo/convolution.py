"""Convolutions: one and two dimensions, strided, grouped, padded, transposed, and in residual blocks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import kit
from tests.parity.zoo.registry import BATCH, member

LENGTH = kit.Dim("length", 8, 40)


@member
def conv1d() -> kit.Recipe:
    model = nn.Sequential(
        nn.Conv1d(3, 8, 3, padding="same"), nn.GELU(), nn.Conv1d(8, 4, 3, padding=2, dilation=2)
    )
    return kit.Recipe(model, args=(torch.randn(2, 3, 12),), dynamic={"input": {0: BATCH, 2: LENGTH}})


@member
def conv2d() -> kit.Recipe:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1, padding_mode="reflect"),
        nn.SiLU(),
        nn.Conv2d(8, 8, 3, groups=4, bias=False),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * 3 * 3, 5),
    )
    return kit.Recipe(model, args=(torch.randn(2, 3, 16, 16),), dynamic={"input": {0: BATCH}})


@member
def conv_transpose() -> kit.Recipe:
    model = nn.Sequential(
        nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1),
        nn.LeakyReLU(0.1),
        nn.Upsample(scale_factor=2),
    )
    return kit.Recipe(model, args=(torch.randn(2, 4, 5, 5),), dynamic={"input": {0: BATCH}})


class Residual(nn.Module):
    """y = relu(x + f(x)), f a convolution and batch norm, twice."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.body(x))


@member
def residual_blocks() -> kit.Recipe:
    blocks = [Residual(8) for _ in range(3)]
    model = nn.Sequential(nn.Conv2d(1, 8, 3), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return kit.Recipe(model, args=(torch.randn(2, 1, 10, 10),), dynamic={"input": {0: BATCH}})
