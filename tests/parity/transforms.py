"""Fourier transforms of several lines at once, and of sizes that ask for another way."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import kit
from tests.parity.operations import BATCH, Outputs


class Transforms(nn.Module):
    """x: float64[batch, 149] → Fourier transforms of sizes with small prime factors, and with large ones."""

    def forward(self, x: Tensor) -> Outputs:
        found: Outputs = {}
        for size in (1, 9, 36, 74, 149):
            real = x[:, :size]
            both = torch.complex(real, real.flip(1) + 1)
            results = [torch.fft.fft(real), torch.fft.fft(both), torch.fft.rfft(real.float())]
            found |= {f"transform_{size}_{i}": torch.view_as_real(one) for i, one in enumerate(results)}
            found[f"irfft_{size}"] = torch.fft.irfft(both.to(torch.complex64), n=size)
        return found


def transforms() -> kit.Recipe:
    cases = [(torch.randn(batch, 149, dtype=torch.float64),) for batch in (3, 1, 8)]
    return kit.Recipe(Transforms(), cases[0], dynamic={"x": {0: BATCH}}, cases=cases)
