"""Convolutions with channels enough for every way to convolve, and values that ask for care."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

import kit
from tests.parity.operations import BATCH, Outputs


class WideConvolutions(nn.Module):
    """x: float32[batch, 34, 13, 17], with channels enough for every way to convolve.

    34 and 38 channels, and half of them, are multiples of no vector's width, and 13 and 17 of no tile's.
    """

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.plane = nn.ModuleDict(
            {
                "padding_0": nn.Conv2d(34, 38, 3),
                "padding_1": nn.Conv2d(34, 38, 3, padding=1),
                "padding_2": nn.Conv2d(34, 16, 3, padding=2),
                "uneven_padding": nn.Conv2d(34, 33, 3, padding=(2, 0), bias=False),
                "in_groups": nn.Conv2d(34, 38, 3, padding=1, groups=2),
                "few_filters": nn.Conv2d(34, 15, 3, padding=1),
                "one_filter": nn.Conv2d(34, 1, 3, padding=1),
                "dilated": nn.Conv2d(34, 38, 3, padding=2, dilation=2),
                "strided": nn.Conv2d(34, 38, 3, stride=2, padding=1),
                "five": nn.Conv2d(34, 18, 5, padding=2, groups=2),
                "pointwise": nn.Conv2d(34, 37, 1),
                "pointwise_strided": nn.Conv2d(34, 40, 1, stride=2, bias=False),
                "thirds": nn.Conv2d(34, 20, (1, 3), (1, 3), (0, 1)),
            }
        )
        self.depthwise = nn.ModuleDict(
            {
                "seven": nn.Conv2d(34, 34, 7, padding=3, groups=34),
                "strided": nn.Conv2d(34, 34, 3, stride=2, padding=1, groups=34, bias=False),
                "uneven": nn.Conv2d(34, 68, (3, 5), (1, 3), (2, 4), (2, 3), groups=34),
            }
        )
        self.line = nn.Conv1d(34, 34, 9, padding=4, groups=34)
        self.space = nn.Conv3d(2, 4, 3, (2, 1, 2), 1, groups=2)
        self.in_float64 = nn.Conv2d(34, 38, 3, padding=1).double()
        self.in_bfloat16 = nn.Conv2d(34, 38, 3, padding=1).bfloat16()
        self.weight = nn.Parameter(torch.randn(34, 34, 3, 3) / 17)
        self.taps = nn.Parameter(torch.randn(34, 1, 7, 7) / 7)

    def forward(self, x: Tensor) -> Outputs:
        last = x.contiguous(memory_format=torch.channels_last)
        conv, came = functional.conv2d, x[0, :, :9, :16].reshape(-1, 16, 3, 3)
        return {
            **{name: part(x) for name, part in self.plane.items()},
            **{f"depthwise_{name}": part(x) for name, part in self.depthwise.items()},
            "depthwise_line": self.line(x.flatten(2)),
            "depthwise_space": self.space(x.reshape(-1, 2, 17, 13, 17)),
            "depthwise_float64": conv(x.double(), self.taps.double(), groups=34),
            "depthwise_bfloat16": conv(x.bfloat16(), self.taps.bfloat16(), groups=34),
            "float64": self.in_float64(x.double()),
            "bfloat16": self.in_bfloat16(x.bfloat16()),
            "channels_last": self.plane["padding_1"](last),
            "smaller": self.plane["padding_0"](x[:, :, 2:9, 3:12]),
            "too_small_for_tiles": self.plane["padding_0"](x[:, :, :4, :5]),
            "one_weight": conv(x, self.weight, padding=1),
            "one_weight_another_way": conv(x, self.weight, dilation=2),
            "transposed_weight": conv(x, self.weight.transpose(0, 1), padding=1),
            "weight_that_comes": conv(x[:, :16, :8, :8], came / 12, padding=1),
        }


def _spoiled(batch: int, value: float) -> tuple[Tensor]:
    """With a value that eager keeps from all outputs that do not see it."""
    x = torch.randn(batch, 34, 13, 17)
    x[-1, 5, 6, 7] = value
    return (x,)


def wide_convolutions() -> kit.Recipe:
    cases = [(torch.randn(batch, 34, 13, 17),) for batch in (2, 1, 3)]
    cases += [_spoiled(2, value) for value in (torch.nan, torch.inf, -torch.inf, 1e30, 50.0)]
    return kit.Recipe(WideConvolutions(), cases[0], dynamic={"x": {0: BATCH}}, cases=cases)
