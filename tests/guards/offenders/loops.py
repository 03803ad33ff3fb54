"""Loops over what is dynamic, which a trace unrolls."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.guards.registry import BY_TIME, offender, sequences


@offender("baked-size")
def rows_one_by_one(x: Tensor) -> Tensor:  # pytorch/pytorch#58225
    total = torch.zeros(3)
    for row in x:  # here
        total = total + row
    return total


@offender("size-number")
def range_over_the_batch(x: Tensor) -> Tensor:  # pytorch/pytorch#58225
    total = torch.zeros(3)
    for index in range(x.size(0)):  # here
        total = total + x[index]
    return total


@offender("size-number")
def list_of_rows(x: Tensor) -> Tensor:
    return torch.stack([row * 2 for row in list(x)])  # here


@offender("baked-size")
def unbound(x: Tensor) -> Tensor:
    return torch.stack([row.tanh() for row in x.unbind(0)])  # here


@offender("baked-size")
def split_in_twos(x: Tensor) -> Tensor:
    return torch.cat([part - part.mean() for part in x.split(2)])  # here


@offender("baked-size", example=sequences, dynamic=BY_TIME)
def chunks_of_time(x: Tensor) -> Tensor:
    return torch.cat([part.cumsum(1) for part in x.chunk(4, 1)], 1)  # here


@offender("baked-size")
def zipped(x: Tensor) -> Tensor:
    return torch.stack([a * b for a, b in zip(x, x.flip(0), strict=True)])  # here


@offender("baked-size", example=sequences, dynamic=BY_TIME)
class RecurrentLoop(nn.Module):
    """A recurrence step by step."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.zeros(x.shape[0], 2)
        for step in x.unbind(1):  # here
            h = self.cell(step, h)
        return h


@offender("size-branch")
def while_it_is_long(x: Tensor) -> Tensor:
    y = x
    while y.shape[0] > 1:  # here
        y = y[: y.shape[0] // 2]
    return x + y


@offender("value-number")
def over_what_is_selected(x: Tensor) -> Tensor:
    for large in x[x.abs() > 1e6]:  # here: none in the example, so that the loop leaves no mark
        x = x + large
    return x


@offender("value-number")
def pairs_of_what_is_selected(x: Tensor) -> Tensor:
    return x + sum(pair.sum() for pair in x.T[:, x[:, 0].abs() > 1e6].split(2, 1))  # here
