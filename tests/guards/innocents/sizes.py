"""Sizes are used as they are, or decide the same for all sizes that are declared."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import kit
from tests.guards.registry import BATCH, BY_TIME, innocent, sequences


@innocent()
def divided_by_the_batch(x: Tensor) -> Tensor:
    return x.sum(0, keepdim=True) / x.shape[0] + x


@innocent()
def elements_of_a_tensor(x: Tensor) -> Tensor:  # pytorch/pytorch#49372
    return x / x.numel()


@innocent()
def view_of_a_size(x: Tensor) -> Tensor:  # pytorch/pytorch#6554
    return x.view(x.size(0), -1) + 1


@innocent()
def there_and_back(x: Tensor) -> Tensor:  # pytorch/pytorch#17147
    s = x.shape
    y = F.pad(x, (0, 1)).view(x.shape[0], 4 // 2, 2)
    y = y * y.sum(1, keepdim=True)
    return y.view(s[0], s[1] + 1)


@innocent()
def range_over_a_size(x: Tensor) -> Tensor:  # pytorch/pytorch#12580
    return x + torch.arange(x.size(0))[:, None]


@innocent()
def zeros_of_a_size(x: Tensor) -> Tensor:  # pytorch/pytorch#12579
    return torch.cat([x, torch.zeros(x.shape[0], 2), x.new_zeros(x.shape[0], 1)], 1)


@innocent()
def like_the_input(x: Tensor) -> Tensor:  # pytorch/pytorch#19637
    return torch.zeros_like(x) + torch.full_like(x, 2.0) * x


@innocent()
def number_that_torch_takes(x: Tensor) -> Tensor:
    """A size as an argument that must be a number: the trace computes it anew."""
    n = x.shape[0]
    steps = torch.linspace(0, 1, n) + torch.hann_window(n) + torch.tril_indices(n, 1)[0]
    return x * steps[:, None] + F.one_hot(torch.arange(n), n).sum(1, keepdim=True)


@innocent()
def inverted(x: Tensor) -> Tensor:  # pytorch/pytorch#20923
    return ~(x > 0)


@innocent()
def asserted_sizes(x: Tensor) -> Tensor:  # pytorch/pytorch#32488
    assert x.shape[0] > 0, "no rows"
    assert x.dim() == 2
    assert x.size(1) == 3
    return x + 1


@innocent()
def asserted_after_a_reshape(x: Tensor) -> Tensor:
    y = x.reshape(x.shape[0], 3, 1)
    if y.shape[0] != x.shape[0] or y.size() != (x.shape[0], 3, 1):
        raise ValueError("not the same rows")
    return y


@innocent()
def if_on_a_fixed_size(x: Tensor) -> Tensor:
    if x.shape[1] > 2:
        return x + 1
    return x


@innocent(lambda: (torch.randn(4, 3), torch.randn(4, 3)), {"x": {0: BATCH}, "y": {0: BATCH}})
def numbers_that_are_asserted(x: Tensor, y: Tensor) -> Tensor:
    """Whatever the lengths are, the same is recorded."""
    rows = int(x.shape[0])
    assert rows <= 16
    assert len(x) == len(y), f"{len(x)} rows and {len(y)}"
    return x + y


@innocent()
def length_that_nothing_uses(x: Tensor) -> Tensor:  # as transformers' RT-DETR
    rows = len(x)
    return x.repeat(rows, 1) if x.dim() > 2 else x + 1


@innocent()
def within_the_range(x: Tensor) -> Tensor:
    if x.shape[0] > 100:
        raise ValueError("too many rows")
    return x + 1


@innocent(lambda: torch.randn(4, 3), {"x": {0: kit.Dim("batch", 2, 16)}})
def never_one(x: Tensor) -> Tensor:
    return x.squeeze() if x.shape[0] == 1 else x


@innocent(sequences, BY_TIME)
def asked_after_writing_through_a_view(x: Tensor) -> Tensor:
    y = torch.zeros_like(x)
    y.mT.reshape(x.shape[0], -1).fill_(1)
    y.reshape(-1)[0] = x[0, 0, 0]
    if y.mT.reshape(-1).shape[0] > 10000:
        raise ValueError("too large")
    return x + y


@innocent()
def branch_without_a_difference(x: Tensor) -> Tensor:
    if x.shape[0] > 1:
        return x + x.mean(0, keepdim=True)
    return x + x


@innocent(lambda: torch.randn(6, 3), {"x": {0: kit.Dim("batch", 1, 32)}})
def padding_that_may_be_none(x: Tensor) -> Tensor:
    missing = -x.shape[0] % 4
    return F.pad(x, (0, 0, 0, missing)).sum(0) + x


@innocent(sequences, BY_TIME)
def slice_of_a_size(x: Tensor) -> Tensor:
    return x[:, : x.shape[1] // 2].sum(1) + x[:, x.shape[1] // 2 :].sum(1)


@innocent(sequences, BY_TIME)
def last_step(x: Tensor) -> Tensor:
    return x[:, -1] + x[:, x.shape[1] - 1]


@innocent(sequences, BY_TIME)
def last_of_two_steps(x: Tensor) -> Tensor:
    steps = x.unbind(2)
    return steps[0] + steps[-1]


@innocent(sequences, BY_TIME)
def loop_over_a_fixed_size(x: Tensor) -> Tensor:
    total = torch.zeros(x.shape[0], x.shape[1])
    for index in range(x.shape[2]):
        total = total + x[:, :, index] * index
    return total


@innocent(sequences, BY_TIME)
def split_of_a_fixed_size(x: Tensor) -> Tensor:
    left, right = x.split(3, 2)
    a, b = x.chunk(2, -1)
    return left * right + a * b


@innocent(sequences, BY_TIME)
def expanded(x: Tensor) -> Tensor:
    return x + torch.ones(1, 1, 6).expand(x.shape[0], x.shape[1], 6) + torch.ones(6).expand_as(x)


@innocent(sequences, BY_TIME)
def root_as_a_power(x: Tensor) -> Tensor:  # pytorch/pytorch#44850
    return x / x.shape[1] ** 0.5


@innocent(sequences, BY_TIME)
def flattened_and_back(x: Tensor) -> Tensor:
    y = x.reshape(-1, x.shape[-1]).tanh()
    return y.reshape(*x.shape[:-1], -1)


@innocent(lambda: torch.randn(2, 3, 4, 4), {"x": {0: BATCH, 2: kit.Dim("height", 2, 12)}})
def interpolated_by_a_size(x: Tensor) -> Tensor:  # pytorch/pytorch#36596
    return F.interpolate(x, size=(x.shape[2] * 2, x.shape[3] * 2), mode="nearest").mean(2)


@innocent(lambda: torch.randn(2, 3, 4, 4), {"x": {0: BATCH, 2: kit.Dim("height", 2, 12)}})
def interpolated_by_a_factor(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear").mean(2)


@innocent(sequences, BY_TIME)
def padded_by_a_size(x: Tensor) -> Tensor:
    return F.pad(x, (0, 0, x.shape[1], 0)).cumsum(1)[:, -1]


@innocent(sequences, BY_TIME)
class TableSetInPlace(nn.Module):
    """A table is cut to the input's length, and its copy written to."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(12, 6))

    def forward(self, x: Tensor) -> Tensor:
        positions = self.table[: x.size(1)].clone()
        positions[0] = 0
        positions[:, 1] += x.shape[1]
        return x + positions


@innocent()
def condition_that_another_overrules(x: Tensor) -> Tensor:  # as transformers' attention chooses its mask
    causal = x.shape[0] > 3 and x.dim() > 2
    return F.scaled_dot_product_attention(x, x, x, is_causal=bool(causal))


@innocent(sequences, {"x": {0: BATCH, 1: kit.Dim("time", 1, 10**8)}})
def strides_of_what_is_fixed(x: Tensor) -> Tensor:
    assert x.stride(1) == 6 * x.stride(-1)
    return x * x.itemsize
