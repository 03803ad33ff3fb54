"""Tokens and recurrence: embeddings of int64 inputs, LSTM, GRU with its state as input and output."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import kit
from tests.parity.zoo.registry import BATCH, member

TOKENS = 11  # size of the vocabulary


class Classifier(nn.Module):
    """tokens: int64[batch, length] in 0..10 → float32[batch, 3]."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, 8, padding_idx=0)
        self.head = nn.Linear(8, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.embedding(tokens).mean(dim=1))


@member
def embedding() -> kit.Recipe:
    sizes = [(2, 5), (1, 1), (4, 9)]
    cases = [(torch.randint(0, TOKENS, size),) for size in sizes]
    dynamic = {"tokens": {0: BATCH, 1: kit.Dim("length", 1, 20)}}
    return kit.Recipe(Classifier(), args=cases[0], dynamic=dynamic, cases=cases)


class Bags(nn.Module):
    """tokens: int64[batch, 5] in 0..10, and a weight for each → their weighted sums, float32[batch, 6]."""

    def __init__(self) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(TOKENS, 6, mode="sum")

    def forward(self, tokens: Tensor, weights: Tensor) -> Tensor:
        return self.bag(tokens, per_sample_weights=weights)


@member
def embedding_bag() -> kit.Recipe:
    return kit.Recipe(
        Bags(),
        args=(torch.randint(0, TOKENS, (3, 5)), torch.randn(3, 5)),
        dynamic={"tokens": {0: BATCH}, "weights": {0: BATCH}},
    )


class OffsetBags(nn.Module):
    """tokens: int64[length] in 0..10, and where each bag starts in them: int64[bags] → float32[bags, 6]."""

    def __init__(self) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(TOKENS, 6, mode="mean")

    def forward(self, tokens: Tensor, offsets: Tensor) -> Tensor:
        return self.bag(tokens, offsets)


@member
def embedding_bag_with_offsets() -> kit.Recipe:
    # Offsets start at 0 and ascend, which no random numbers would.
    cases = [
        (torch.randint(0, TOKENS, (length,)), torch.tensor(starts))
        for length, starts in ((7, [0, 3]), (9, [0, 2, 2, 8]), (4, [0]))
    ]
    return kit.Recipe(
        OffsetBags(),
        args=cases[0],
        dynamic={"tokens": {0: kit.Dim("length", 1, 64)}, "offsets": {0: kit.Dim("bags", 1, 16)}},
        cases=cases,
    )


class LastOfLstm(nn.Module):
    """x: float32[batch, length, 5] → the last output of a bidirectional LSTM of two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(5, 7, num_layers=2, bidirectional=True, batch_first=True, dropout=0.3)

    def forward(self, x: Tensor) -> Tensor:
        return self.lstm(x)[0][:, -1]


@member
def lstm() -> kit.Recipe:
    return kit.Recipe(LastOfLstm(), args=(torch.randn(2, 6, 5),), dynamic={"x": {0: BATCH}})


class GruStep(nn.Module):
    """x: float32[batch, 4, 3] and state: float32[1, batch, 5] → outputs, and the state after them."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(3, 5, batch_first=True)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        return self.gru(x, state)


@member
def gru_with_state() -> kit.Recipe:
    return kit.Recipe(
        GruStep(),
        args=(torch.randn(2, 4, 3), torch.randn(1, 2, 5)),
        dynamic={"x": {0: BATCH}, "state": {1: BATCH}},
        names={"outputs": ["y", "next_state"]},
    )
