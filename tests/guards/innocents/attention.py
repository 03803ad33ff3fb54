"""Positions, masks and caches of sequence models, made anew for each size."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import kit
from tests.guards.registry import BATCH, BY_TIME, TIME, innocent, sequences


@innocent(sequences, BY_TIME)
class PositionalEncoding(nn.Module):
    """A table of sines that is cut to the length of the input."""

    table: Tensor

    def __init__(self) -> None:
        super().__init__()
        position = torch.arange(12).unsqueeze(1)
        factor = torch.exp(torch.arange(0, 6, 2) * (-math.log(100.0) / 6))
        self.register_buffer("table", torch.stack([(position * factor).sin(), (position * factor).cos()], 2))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.table.flatten(1)[: x.size(1), :]


@innocent(sequences, BY_TIME)
class LearnedPositions(nn.Module):
    """Positions that are looked up."""

    def __init__(self) -> None:
        super().__init__()
        self.positions = nn.Embedding(12, 6)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.positions(torch.arange(x.shape[1], device=x.device))


@innocent(sequences, BY_TIME)
def causal_mask(x: Tensor) -> Tensor:
    scores = x @ x.transpose(1, 2) / math.sqrt(x.shape[-1])
    mask = torch.full((x.shape[1], x.shape[1]), -math.inf).triu(1)
    return (scores + mask).softmax(-1) @ x


@innocent(sequences, BY_TIME)
class CutMask(nn.Module):
    """The mask for the longest input is made once, and cut to size."""

    mask: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mask", torch.ones(12, 12, dtype=torch.bool).tril())

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[1]
        scores = (x @ x.mT).masked_fill(~self.mask[:size, :size], -math.inf)
        return scores.softmax(-1) @ x


@innocent(sequences, BY_TIME)
def causal_attention(x: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(x, x, x, is_causal=True)


@innocent(sequences, {"x": {1: kit.Dim("time", 1, 12)}})
class MaskThatIsLargeEnough(nn.Module):
    """The mask would be made anew for a longer input than is declared."""

    def __init__(self) -> None:
        super().__init__()
        self.mask = torch.ones(12, 12).tril()

    def forward(self, x: Tensor) -> Tensor:
        if self.mask.size(0) < x.size(1):
            self.mask = torch.ones(x.size(1), x.size(1)).tril()
        return self.mask[: x.size(1), : x.size(1)] @ x


@innocent(sequences, BY_TIME)
class Heads(nn.Module):
    """Heads are split off and put together by sizes of the input."""

    def __init__(self) -> None:
        super().__init__()
        self.both = nn.Linear(6, 12)

    def forward(self, x: Tensor) -> Tensor:
        batch, time, width = x.shape
        keys, values = self.both(x).split(width, 2)
        keys = keys.view(batch, time, 2, width // 2).transpose(1, 2)
        values = values.view(batch, time, 2, width // 2).transpose(1, 2)
        mixed = (keys @ keys.mT / keys.size(-1) ** 0.5).softmax(-1) @ values
        return mixed.transpose(1, 2).contiguous().view(batch, time, width)


@innocent(sequences, BY_TIME)
def rotated_halves(x: Tensor) -> Tensor:
    angles = torch.arange(x.shape[1])[:, None] * 0.1 ** torch.arange(3)
    a, b = x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2 :]
    return torch.cat([a * angles.cos() - b * angles.sin(), a * angles.sin() + b * angles.cos()], -1)


@innocent(
    lambda: (torch.randn(4, 5, 6), torch.randn(4, 2, 6)),
    {"x": {0: BATCH, 1: TIME}, "past": {0: BATCH, 1: kit.Dim("past", 1, 6)}},
)
def appended_to_a_cache(x: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
    whole = torch.cat([past, x], 1)
    return whole[:, past.shape[1] :] + whole[:, -1:], whole[:, 1:].sum(1)
