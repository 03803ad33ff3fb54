"""Element types other than float32, as inputs, weights and outputs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import kit
from tests.parity.zoo.registry import BATCH, member


@member
def float64() -> kit.Recipe:
    model = nn.Sequential(nn.Linear(4, 8), nn.Sigmoid(), nn.Linear(8, 2)).double()
    return kit.Recipe(model, args=(torch.randn(2, 4, dtype=torch.float64),), dynamic={"input": {0: BATCH}})


@member
def bfloat16() -> kit.Recipe:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)).bfloat16()
    return kit.Recipe(model, args=(torch.randn(2, 4).bfloat16(),), dynamic={"input": {0: BATCH}})


@member
def float16() -> kit.Recipe:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)).half()
    return kit.Recipe(model, args=(torch.randn(2, 4).half(),), dynamic={"input": {0: BATCH}})


class Masked(nn.Module):
    """x: float32[batch, 6], keep: bool[batch, 6] → the masked x, and where it is positive (bool)."""

    def forward(self, x: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
        return x.masked_fill(~keep, -1.5), torch.where(keep, x, -x) > 0


@member
def bool_mask() -> kit.Recipe:
    return kit.Recipe(
        Masked(),
        args=(torch.randn(2, 6), torch.rand(2, 6) > 0.5),
        dynamic={"x": {0: BATCH}, "keep": {0: BATCH}},
        names={"outputs": ["masked", "positive"]},
    )


class Spectrum(nn.Module):
    """x: float32[batch, 16] → its spectrum, complex64[batch, 9], times a weight for each frequency."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(9, dtype=torch.complex64))

    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.rfft(x) * self.weight


@member
def complex_output() -> kit.Recipe:
    return kit.Recipe(Spectrum(), args=(torch.randn(2, 16),), dynamic={"x": {0: BATCH}})


class Rotation(nn.Module):
    """z: complex64[batch, 4] → its phase and magnitude, float32."""

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return z.angle(), (z * z.conj()).real.sqrt()


@member
def complex_input() -> kit.Recipe:
    cases = [(torch.randn(batch, 4, dtype=torch.complex64),) for batch in (1, 3)]
    return kit.Recipe(Rotation(), args=cases[0], dynamic={"z": {0: BATCH}}, cases=cases)


class Pixels(nn.Module):
    """pixels: uint8[batch, 3, 6, 6] → float32[batch, 2], and the brightest value, uint8[batch]."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 2)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        return self.head(pixels.float().div(255).mean(dim=(2, 3))), pixels.flatten(1).amax(dim=1)


@member
def uint8_image() -> kit.Recipe:
    cases = [(torch.randint(0, 256, (batch, 3, 6, 6), dtype=torch.uint8),) for batch in (1, 2, 6)]
    return kit.Recipe(Pixels(), args=cases[0], dynamic={"pixels": {0: BATCH}}, cases=cases)


class Ranked(nn.Module):
    """x: float32[batch, 9] → the three largest, where they are, and the smallest's place as int32."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        values, indices = x.topk(3, dim=1)
        return values, indices, x.argmin(dim=1).int()


@member
def integer_outputs() -> kit.Recipe:
    return kit.Recipe(
        Ranked(),
        args=(torch.randn(2, 9),),
        dynamic={"x": {0: BATCH}},
        names={"outputs": ["values", "indices", "smallest"]},
    )


class NotFinite(nn.Module):
    """x: float32[batch, 4] → NaN and infinities where x has them, and where it is negative or 0."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.log(), 1 / x


@member
def nan_and_infinity() -> kit.Recipe:
    special = torch.tensor([[0.0, -0.0, -1.0, 2.0], [float("nan"), float("inf"), float("-inf"), 1e-40]])
    cases = [(special,), (torch.randn(3, 4),)]
    return kit.Recipe(NotFinite(), args=cases[0], dynamic={"x": {0: BATCH}}, cases=cases)
