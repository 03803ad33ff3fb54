"""Attention, with and without masks, over a dynamic batch and a dynamic length."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import kit
from tests.parity.zoo.registry import BATCH, member

LENGTH = kit.Dim("length", 2, 24)


class SelfAttention(nn.Module):
    """x: float32[batch, length, 16], padding: bool[batch, length], true where there is no token."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 4, dropout=0.1, batch_first=True)

    def forward(self, x: Tensor, padding: Tensor) -> tuple[Tensor, Tensor]:
        return self.attention(x, x, x, key_padding_mask=padding, need_weights=True)


def padding_mask(batch: int, length: int) -> Tensor:
    """False for the first token of each row at least: a row without any token has no attention."""
    return torch.arange(length) >= torch.randint(1, length + 1, (batch, 1))


@member
def multihead_attention() -> kit.Recipe:
    sizes = [(2, 7), (1, 7), (5, 7)]
    cases = [(torch.randn(batch, length, 16), padding_mask(batch, length)) for batch, length in sizes]
    return kit.Recipe(
        SelfAttention(),
        args=cases[0],
        dynamic={"x": {0: BATCH}, "padding": {0: BATCH}},
        names={"outputs": ["mixed", "weights"]},
        cases=cases,
    )


class ScaledDotProduct(nn.Module):
    """query, key, value: float32[batch, 2, length, 8]; the three share both dynamic dims."""

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)


@member
def scaled_dot_product() -> kit.Recipe:
    return kit.Recipe(
        ScaledDotProduct(),
        args=tuple(torch.randn(2, 2, 6, 8) for _ in range(3)),
        dynamic={name: {0: BATCH, 2: LENGTH} for name in ("query", "key", "value")},
    )


@member
def transformer_encoder() -> kit.Recipe:
    layer = nn.TransformerEncoderLayer(16, 4, dim_feedforward=32, dropout=0.1, batch_first=True)
    model = nn.TransformerEncoder(layer, num_layers=2)
    return kit.Recipe(model, args=(torch.randn(2, 6, 16),), dynamic={"src": {0: BATCH}})


class CrossAttention(nn.Module):
    """tokens: float32[batch, length, 8] attend to memory: float32[batch, slots, 8]: two dynamic lengths."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(8, 8, bias=False)
        self.norm = nn.LayerNorm(8)

    def forward(self, tokens: Tensor, memory: Tensor) -> Tensor:
        scores = torch.einsum("bld,bsd->bls", self.query(tokens), memory)
        return self.norm(tokens + torch.softmax(scores, dim=-1) @ memory)


@member
def cross_attention() -> kit.Recipe:
    slots = kit.Dim("slots", 1, 12)
    return kit.Recipe(
        CrossAttention(),
        args=(torch.randn(2, 6, 8), torch.randn(2, 3, 8)),
        dynamic={"tokens": {0: BATCH, 1: LENGTH}, "memory": {0: BATCH, 1: slots}},
    )
