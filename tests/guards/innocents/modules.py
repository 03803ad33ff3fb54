"""Layers of torch that have branches of their own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import kit
from tests.guards.registry import BATCH, BY_TIME, innocent, sequences


@innocent(sequences, BY_TIME)
class Recurrent(nn.Module):
    """Its first state has the size of the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(6, 4, batch_first=True)
        self.gru = nn.GRU(4, 3, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.gru(self.lstm(x)[0])[0]


@innocent(sequences)
class CellWithAStateOfTheBatch(nn.Module):
    """The state of the first step is made for the batch at hand."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(6, 2)

    def forward(self, x: Tensor) -> Tensor:  # pytorch/pytorch#59530
        state = (x.new_zeros(x.shape[0], 2), x.new_zeros(x.shape[0], 2))
        for step in x.unbind(1):
            state = self.cell(step, state)
        return state[0]


@innocent(sequences, BY_TIME)
class Encoder(nn.Module):
    """A whole encoder, which has a fast path in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(6, 2, 8, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.encoder(x)


@innocent(sequences, BY_TIME)
class SelfAttention(nn.Module):
    """nn.MultiheadAttention asserts much of the sizes of its inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x, need_weights=False)[0]


@innocent(lambda: torch.randn(2, 3, 8, 8), {"x": {0: BATCH, 2: kit.Dim("height", 4, 16)}})
class Pictures(nn.Module):
    """Convolutions, a norm, and a pooling that takes any size."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding="same"),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(16, 2),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.parts(x)


@innocent()
class ChosenWhenMade(nn.Module):
    """Its branches depend on what it was made with."""

    def __init__(self) -> None:
        super().__init__()
        self.residual, self.last = True, None
        self.layers = nn.ModuleList(nn.Linear(3, 3) for _ in range(2))

    def forward(self, x: Tensor, scale: Tensor | None = None) -> Tensor:
        for index, layer in enumerate(self.layers):
            x = x + layer(x) if self.residual and index else layer(x)
        if scale is not None:
            x = x * scale
        return x if self.last is None else self.last(x)


@innocent()
class CachesByWidth(nn.Module):
    """What it keeps depends on no values."""

    def __init__(self) -> None:
        super().__init__()
        self.masks: dict[int, Tensor] = {}
        self.positions: Tensor | None = None
        self.scale = torch.zeros(3)

    def forward(self, x: Tensor) -> Tensor:
        if self.positions is None:
            self.positions = torch.arange(3)
            self.scale.fill_(0.5)
        width = int(x.shape[1])
        if width not in self.masks:
            self.masks[width] = torch.ones(width, width).tril()
        return x @ self.masks[width] * self.scale + self.positions


@innocent()
class RescalesInTheFirstCall(nn.Module):
    """Its weights change once, by a number, as those of RWKV do."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)
        self.rescaled = False

    def forward(self, x: Tensor) -> Tensor:
        if not self.rescaled:
            self.layer.weight.div_(2)
            self.rescaled = True
        return self.layer(x)


@innocent()
class MadeInTheFirstCall(nn.Module):
    """A layer of random weights, whose size is that of the first inputs."""

    def forward(self, x: Tensor) -> Tensor:
        if not hasattr(self, "layer"):
            self.layer = nn.Linear(x.shape[1], 2)
        return self.layer(x)


@innocent()
class Lazy(nn.Module):
    """The same in torch's way."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LazyLinear(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


@innocent()
class LazyWithBuffers(nn.Module):
    """And with what torch counts, beside one that is made by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LazyBatchNorm1d()

    def forward(self, x: Tensor) -> Tensor:
        if not hasattr(self, "layer"):
            self.layer = nn.Linear(x.shape[1], 2)
        return self.layer(self.norm(x))


@innocent()
class KeepsWhatNobodyReads(nn.Module):
    """For who looks at it after the call."""

    def forward(self, x: Tensor) -> Tensor:
        self.seen = x.mean(0)
        return x - self.seen


@innocent()
class InInferenceMode(nn.Module):
    """Made and called where tensors have no versions."""

    def __init__(self) -> None:
        super().__init__()
        with torch.inference_mode():
            self.layers = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.ReLU(inplace=True))
            self.shift = torch.ones(3)

    @torch.inference_mode()
    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x) + self.shift
        y += 1
        return y / y.shape[0]
