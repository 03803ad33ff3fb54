"""The models whose fusion is looked at: a pointwise chain, and the same with a matrix product behind it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import kit


class Chain(nn.Module):
    """relu(x · m1 + m2) of three float32 tensors of one shape."""

    def forward(self, x: Tensor, m1: Tensor, m2: Tensor) -> Tensor:
        return torch.relu(x * m1 + m2)


class ChainAndProduct(nn.Module):
    """relu(x · m1 + m2) @ m2 of three square float32 matrices of one size."""

    def forward(self, x: Tensor, m1: Tensor, m2: Tensor) -> Tensor:
        return torch.relu(x * m1 + m2) @ m2


def matrices(rows: int, columns: int, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor, Tensor]:
    """x, m1 and m2, normally distributed and the same each time."""
    generator = torch.Generator(device).manual_seed(rows)
    made = (torch.randn(rows, columns, generator=generator, device=device) for _ in range(3))
    x, m1, m2 = made
    return x, m1, m2


def chain() -> kit.Recipe:
    rows, columns = kit.Dim("rows", 1, 65536), kit.Dim("columns", 1, 65536)
    dims = {name: {0: rows, 1: columns} for name in ("x", "m1", "m2")}
    return kit.Recipe(Chain(), args=matrices(3, 4), name="chain", dynamic=dims, cases=2)


def chain_and_product(size: int, cases: int = 2) -> kit.Recipe:
    return kit.Recipe(ChainAndProduct(), args=matrices(size, size), name="chain_and_product", cases=cases)
