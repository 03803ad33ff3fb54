"""Decisions on sizes that are declared dynamic, and Python numbers made of them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import kit
from tests.guards.registry import BATCH, BY_TIME, offender, sequences


@offender("size-branch")
def if_on_the_batch(x: Tensor) -> Tensor:
    if x.shape[0] > 3:  # here
        return x + 1
    return x


@offender("size-branch")
def batch_of_one(x: Tensor) -> Tensor:
    if x.shape[0] == 1:  # here
        return x.squeeze(0).sum() + x
    return x


@offender("size-branch")
def ways_that_part_later(x: Tensor) -> Tensor:
    y = x * 2
    if x.shape[0] > 3:  # here: up to 12 both ways record the same
        for more in x.split(12)[1:]:
            y = y + more.sum()
    return y


@offender("size-branch", example=lambda: torch.randn(5, 3))
def odd_or_even(x: Tensor) -> Tensor:
    if x.shape[0] % 2 == 0:  # here
        return x + 1
    return x


@offender("size-branch", example=lambda: torch.randn(3, 3))
def product_of_sizes(x: Tensor) -> Tensor:
    if x.shape[0] * x.shape[0] > 200:  # here
        return x + 1
    return x


@offender("size-branch", example=lambda: torch.randn(5, 3))
def halves(x: Tensor) -> Tensor:
    if x.shape[0] // 2 * 2 != x.shape[0]:  # here
        x = F.pad(x, (0, 0, 1, 0))[1:]
        return x * 2
    return x


@offender("size-branch")
def at_most_so_many(x: Tensor) -> Tensor:  # pytorch/pytorch#22485
    count = 10
    if count > 0 and x.shape[0] > count:  # here
        x = x * x.topk(count, 0).values.sum()
    return x


@offender("size-branch", example=sequences, dynamic=BY_TIME)
def two_sizes(x: Tensor) -> Tensor:
    if x.shape[0] > x.shape[1]:  # here
        return x + 1
    return x


@offender("size-branch", example=sequences, dynamic=BY_TIME)
def elements(x: Tensor) -> Tensor:
    return x + 1 if x.numel() > 500 else x  # here


@offender("size-branch")
def python_min(x: Tensor) -> Tensor:
    return x[: min(x.shape[0], 3)].sum(0) + x  # here


@offender("size-branch", example=sequences, dynamic={"x": {1: kit.Dim("time", 1, 64)}})
class MaskOfTheLastCall(nn.Module):
    """A causal mask is kept, and made anew when it is too small."""

    def __init__(self) -> None:
        super().__init__()
        self.mask = torch.ones(5, 5).tril()

    def forward(self, x: Tensor) -> Tensor:
        if self.mask.size(0) < x.size(1):  # here
            self.mask = torch.ones(x.size(1), x.size(1)).tril()
        return self.mask[: x.size(1), : x.size(1)] @ x


@offender("size-number")
def int_of_a_size(x: Tensor) -> Tensor:
    return x / int(x.shape[0])  # here


@offender("size-number")
def length(x: Tensor) -> Tensor:  # pytorch/pytorch#55194
    return x + torch.arange(len(x))[:, None]  # here


@offender("size-number")
def number_for_torch_and_for_python(x: Tensor) -> Tensor:
    n = x.shape[0]
    steps = torch.linspace(0, 1, n)
    return x * steps[:, None] + sum(range(n))  # here


@offender("size-number", example=lambda: torch.randn(5, 3))
def number_that_matters_seldom(x: Tensor) -> Tensor:
    rows = int(x.shape[0])  # here: 2, 3, 5 and 11 rows record the same
    return x * 2 if rows % 8 == 0 else x + 1


@offender("size-number", dynamic={"x": {0: kit.Dim("batch", 1, 4096)}})
def length_that_matters_once(x: Tensor) -> Tensor:
    if len(x) == 348:  # here
        return x * 2
    return x + 1


@offender("size-number", dynamic={"x": {0: kit.Dim("batch", 1, 4096)}})
def length_that_an_argument_names(x: Tensor, full: int = 350 - 1) -> Tensor:
    return x * 2 if len(x) == full else x + 1  # here


@offender("size-number", dynamic={"x": {0: kit.Dim("batch", 1, 4096)}})
class BytesThatMatterOnce(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.most = 12 * 347

    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if x.nbytes == self.most + 12 else x + 1  # here: 3 columns of float32


@offender("size-number", dynamic={"x": {0: kit.Dim("batch", 1, 10**8)}})
def number_that_may_matter(x: Tensor) -> Tensor:
    if len(x) > 10**7:  # here: so many rows can be tried by nobody
        return x * 2
    return x + 1


@offender("size-number", dynamic={"x": {0: kit.Dim("batch", 1, 10**8)}})
def bytes_that_may_matter(x: Tensor) -> Tensor:
    if x.nbytes > 2**30:  # here: so many cannot be tried either
        return x * 2
    return x + 1


@offender("size-number", example=sequences, dynamic={"x": {0: BATCH, 1: kit.Dim("time", 1, 10**8)}})
def strides_that_may_matter(x: Tensor) -> Tensor:
    step, _, _ = x.stride()  # here
    return x * 2 if step > 10**6 else x + 1


@offender("size-number", example=sequences, dynamic=BY_TIME)
def scaled_by_the_root(x: Tensor) -> Tensor:  # pytorch/pytorch#44850
    return x / math.sqrt(x.shape[1])  # here


@offender("size-number", example=sequences, dynamic=BY_TIME)
def float_of_a_size(x: Tensor) -> Tensor:
    return x.sum(1) / float(x.size(1))  # here


@offender(
    "size-number", example=lambda: torch.randn(2, 3, 4, 4), dynamic={"x": {2: kit.Dim("height", 2, 16)}}
)
def scale_of_a_size(x: Tensor) -> Tensor:
    factor = 8 / float(x.shape[2])  # here
    return F.interpolate(x, size=(8, 8)) * factor


@offender("size-number", example=sequences, dynamic=BY_TIME)
def formatted_and_read(x: Tensor) -> Tensor:
    size = int(f"{int(x.shape[1])}")  # here
    return x * size


@offender("size-number", example=sequences, dynamic=BY_TIME)
def positions_of_a_list(x: Tensor) -> Tensor:
    positions = torch.tensor([float(i) for i in range(x.shape[1])])  # here
    return x + positions[:, None]


@offender("size-number", example=sequences, dynamic=BY_TIME)
def ceiling(x: Tensor) -> Tensor:
    missing = math.ceil(x.shape[1] / 4) * 4 - x.shape[1]  # here
    return F.pad(x, (0, 0, 0, missing)).sum(1)


@offender("baked-size")
def view_of_a_number(x: Tensor) -> Tensor:  # pytorch/pytorch#38472
    return x.view(4, 3) + 1  # here


@offender("baked-size", example=sequences)
class HiddenStateOfTheExample(nn.Module):
    """The state of the first step is made for the example's batch."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(6, 2)

    def forward(self, x: Tensor) -> Tensor:  # pytorch/pytorch#59530
        h, c = torch.zeros(4, 2), torch.zeros(4, 2)
        h, c = self.cell(x[:, 0], (h, c))  # here
        return h


@offender("baked-size")
def expanded_to_a_number(x: Tensor) -> Tensor:
    return x + torch.ones(1, 3).expand(4, 3)  # here


@offender("baked-size", example=sequences, dynamic=BY_TIME)
class PositionsOfTheExample(nn.Module):
    """A table of as many positions as the example has."""

    def __init__(self) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.randn(5, 6))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.positions  # here


@offender("size-branch", example=sequences, dynamic=BY_TIME)
def many_rows_of_two_dims(x: Tensor) -> Tensor:
    flat = x.flatten(0, 1)
    if flat.shape[0] > 150:  # here
        return x * 2
    return x + flat.mean()
