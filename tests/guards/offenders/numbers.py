"""Python numbers and numpy arrays that are taken from the values of tensors."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.guards.registry import offender, sequences


def padded() -> tuple[Tensor, Tensor]:
    """float32[4, 5, 6], and the length of each row."""
    return sequences(), torch.tensor([5, 4, 2, 1])


def counted() -> tuple[Tensor, Tensor]:
    """float32[4, 3], and a count."""
    return torch.randn(4, 3), torch.tensor(2)


@offender("value-number")
def item(x: Tensor) -> Tensor:
    return x / x.abs().max().item()  # here


@offender("value-number")
def float_of_a_tensor(x: Tensor) -> Tensor:
    return x * float(x.mean())  # here


@offender("value-number")
def square_root(x: Tensor) -> Tensor:
    return x / math.sqrt(x.square().sum())  # here


@offender("value-number", example=counted)
def slice_up_to(x: Tensor, count: Tensor) -> Tensor:
    return x[:, : int(count)].sum(1)  # here


@offender("value-number", example=counted)
def dict_of_functions(x: Tensor, kind: Tensor) -> Tensor:
    functions = {0: torch.relu, 1: torch.tanh, 2: torch.sigmoid}
    return functions[int(kind)](x)  # here


@offender("value-number", example=counted)
class ChoosesALayer(nn.Module):
    """The layer is looked up by the value of an input."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(3, 3) for _ in range(3))

    def forward(self, x: Tensor, layer: Tensor) -> Tensor:
        return self.layers[layer](x)  # type: ignore[call-overload]  # here


@offender("value-number", example=counted)
def repeated(x: Tensor, count: Tensor) -> Tensor:
    for _ in range(count):  # here
        x = x * 2
    return x


@offender("value-number")
def to_a_list(x: Tensor) -> Tensor:
    return x + sum(x[0].tolist())  # here


@offender("value-number", example=padded)
def mask_up_to_the_longest(x: Tensor, lengths: Tensor) -> Tensor:
    longest = int(lengths.max())  # here
    mask = torch.arange(longest)[None, :] < lengths[:, None]
    return F.pad(mask, (0, 5 - longest))[:, :, None] * x


@offender("value-number", example=lambda: torch.randint(0, 3, (4, 3)))
def one_hot_of_what_is_there(x: Tensor) -> Tensor:  # pytorch/pytorch#115817
    classes = F.one_hot(x, int(x.max()) + 1)  # here
    return classes.sum(-1)


@offender("value-number", example=lambda: (torch.randn(4, 3), torch.tensor([1, 2])))
def split_by_values(x: Tensor, sizes: Tensor) -> Tensor:
    left, right = x.split(sizes.tolist(), 1)  # here
    return left.sum(1) - right.sum(1)


@offender("value-number", example=padded, dynamic={})
def packed_sequence(x: Tensor, lengths: Tensor) -> Tensor:  # pytorch/pytorch#15319
    rows = [row[: int(length)].sum() for row, length in zip(x, lengths, strict=True)]  # here
    return torch.stack(rows)


@offender("value-number", example=counted)
def negated_bool(x: Tensor, flag: Tensor) -> Tensor:
    return x * (1 - int(flag > 0))  # here


@offender("value-number")
def number_through_a_view(x: Tensor) -> Tensor:
    scale = torch.zeros(2, 2)
    scale[0].copy_(x[0, :2])
    return x * scale[0, 1].item()  # here


@offender("value-number")
def number_of_an_out_argument(x: Tensor) -> Tensor:
    total = torch.zeros(3)
    torch.sum(x, 0, out=total)
    return x * total[0].item()  # here


@offender("numpy-round-trip")
def numpy_function(x: Tensor) -> Tensor:
    return torch.from_numpy(np.tanh(x.numpy()))  # here


@offender("numpy-round-trip")
def numpy_takes_the_tensor(x: Tensor) -> Tensor:
    return x + torch.as_tensor(np.cumsum(np.asarray(x), 0))  # here


@offender("numpy-round-trip")
def numpy_after_detaching(x: Tensor) -> Tensor:
    order = np.argsort(x[:, 0].detach().cpu().numpy())  # here
    return x + torch.from_numpy(order)[:, None]


@offender("baked-value", example=lambda: torch.tensor([[1.0, -1.0, 1.0], [2.0, 3.0, 4.0]]))
def rolled_by_a_count(x: Tensor) -> Tensor:
    """Other values often give the same count, and those of other sizes another."""
    count = (x[0] > 0).sum()
    return torch.roll(x, count, 1)  # type: ignore[arg-type]  # here
