"""Recipes of the models that `make bench` measures beside their peers."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import torch
from examples.mlp.recipe import recipe as mlp_of_the_example
from torch import Tensor, nn

import kit

LARGEST_BATCH = 65_536


def mlp() -> kit.Recipe:
    """The model of examples/mlp, with a batch up to 65,536."""
    return replace(mlp_of_the_example(), dynamic={"x": {0: kit.Dim("batch", 1, LARGEST_BATCH)}})


def pointwise(x: Tensor, m1: Tensor, m2: Tensor) -> Tensor:
    """relu(x · m1 + m2), all float32[512, 512]."""
    return torch.relu(x * m1 + m2)


def chain() -> kit.Recipe:
    """The chain of pointwise operations on matrices of 512×512."""
    generator = torch.Generator().manual_seed(0)
    args = tuple(torch.randn(512, 512, generator=generator) for _ in range(3))
    return kit.Recipe(pointwise, args=args, name="chain", cases=2)


def encoder() -> kit.Recipe:
    """Two layers of a transformer's encoder: d = 128, 4 heads, 512 hidden units; 1 × 32 tokens × 128."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layer = nn.TransformerEncoderLayer(
            128, 4, dim_feedforward=512, dropout=0.0, activation="gelu", batch_first=True
        )
        model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
        return kit.Recipe(
            model, args=torch.randn(1, 32, 128), name="encoder", names={"inputs": ["x"]}, cases=2
        )


class Block(nn.Module):
    """Two 3×3 convolutions with batch norms, and the input added, through a 1×1 convolution where its size
    differs."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.second_norm(self.second(y)) + self.shortcut(x))


class ResNet18(nn.Module):
    """The residual network of 18 layers: float32[batch, 3, 224, 224] → float32[batch, 1000]."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.stem_norm = nn.BatchNorm2d(64)
        widths = (64, 64, 128, 256, 512)
        blocks: list[nn.Module] = []
        for before, width in pairwise(widths):
            blocks += [Block(before, width, 1 if width == 64 else 2), Block(width, width, 1)]
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(512, 1000)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.stem_norm(self.stem(x)))
        y = self.blocks(nn.functional.max_pool2d(y, 3, 2, 1))
        return self.head(y.mean(dim=(2, 3)))


def resnet18() -> kit.Recipe:
    """ResNet-18 with random weights, and the statistics of its batch norms as random inputs leave them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model, x = ResNet18(), torch.randn(1, 3, 224, 224)
        with torch.no_grad():
            for _ in range(3):
                model.train()(torch.randn(4, 3, 224, 224))
        return kit.Recipe(model.eval(), args=x, name="resnet18", cases=2)
