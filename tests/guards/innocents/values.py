"""Values are computed with, and never decide."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable
from threading import Thread

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.guards.registry import BATCH, innocent, sequences


@innocent()
def where_instead_of_if(x: Tensor) -> Tensor:
    return torch.where(x.sum() > 0, x + 1, x)


@innocent()
def mask_times_values(x: Tensor) -> Tensor:
    return x * (x > 0)


@innocent()
def masked_fill_of_a_copy(x: Tensor) -> Tensor:
    return x.masked_fill(x < 0, 0.0)


@innocent()
def scaled_by_the_largest(x: Tensor) -> Tensor:
    return x / x.abs().max()


@innocent()
def root_of_a_tensor(x: Tensor) -> Tensor:
    return x / x.square().sum().sqrt()


@innocent()
def root_of_a_fixed_size(x: Tensor) -> Tensor:
    return x / math.sqrt(x.shape[-1])


@innocent()
def gathered(x: Tensor) -> Tensor:
    return x.gather(1, x.argmax(1, keepdim=True))


@innocent(lambda: (torch.randn(4, 3), torch.tensor([1, 0, 2])))
def selected_by_an_input(x: Tensor, order: Tensor) -> Tensor:
    return x.index_select(1, order)


@innocent(lambda: (torch.randn(4, 3), torch.tensor(0)))
def element_of_an_input(x: Tensor, column: Tensor) -> Tensor:
    return x[:, column]


@innocent(lambda: (torch.randn(4, 3), torch.tensor(2)))
def slice_up_to_an_input(x: Tensor, count: Tensor) -> Tensor:
    return x[:, :count].sum(1)


@innocent()
def sum_of_selected(x: Tensor) -> Tensor:
    return x + x[x > 0].sum()


@innocent()
def columns_of_selected(x: Tensor) -> Tensor:
    kept = x[x[:, 0] > 0]
    if kept.shape[1] != 3:
        raise ValueError
    (a, b, c), places = kept.T, (x > 0).nonzero().unbind(-1)
    first, second = (kept @ torch.ones(3, 2)).unbind(1)
    return x + (a * b * c + first - second).sum() + len(places)


@innocent()
def nonzero_and_back(x: Tensor) -> Tensor:
    rows, columns = x.relu().nonzero(as_tuple=True)
    return torch.zeros_like(x).index_put((rows, columns), x[rows, columns])


@innocent()
def sorted_and_unsorted(x: Tensor) -> Tensor:
    values, order = x.sort(1)
    return values.cumsum(1).gather(1, order.argsort(1))


@innocent()
def two_largest(x: Tensor) -> Tensor:
    return x.topk(2, 1).values


@innocent(lambda: torch.randint(0, 3, (4, 3)))
def one_hot_of_known_classes(x: Tensor) -> Tensor:
    return F.one_hot(x, 3).sum(-1)


@innocent(
    lambda: (torch.randn(4, 5, 6), torch.tensor([5, 4, 2, 1])), {"x": {0: BATCH}, "lengths": {0: BATCH}}
)
def mask_of_lengths(x: Tensor, lengths: Tensor) -> Tensor:
    return x * (torch.arange(x.shape[1])[None, :] < lengths[:, None])[:, :, None]


@innocent(lambda: (torch.randn(4, 3), torch.tensor([0, 2, 1, 1])), {"x": {0: BATCH}, "counts": {0: BATCH}})
def repeated_and_summed(x: Tensor, counts: Tensor) -> Tensor:
    rows = torch.arange(x.shape[0]).repeat_interleave(counts)
    return torch.zeros_like(x).index_add(0, rows, x[rows])


@innocent()
def constant_from_numpy(x: Tensor) -> Tensor:
    return x * torch.from_numpy(np.linspace(0, 1, 3, dtype=np.float32))


@innocent()
def numbers_of_a_constant(x: Tensor) -> Tensor:
    scale = torch.tensor([1.0, 2.0, 4.0])
    return x * scale.max().item() + float(scale.sum())


@innocent()
class NumberOfAParameter(nn.Module):
    """A number that is taken from a weight is as constant as the weight."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, x: Tensor) -> Tensor:
        if self.scale > 1:
            x = x * 2
        return x * self.scale.item()


@innocent()
def printed(x: Tensor) -> Tensor:
    print(x.shape, x.mean().item())
    print(f"{x.shape[0]} rows")
    return x + len(str(x.dtype))


@innocent()
def told_in_a_text(x: Tensor) -> Tensor:
    text = f"{x.shape[0]} rows of {x.dtype}"
    assert x.shape[1] == 3, text
    return x + 1


@innocent()
def logged(x: Tensor) -> Tensor:
    logger = logging.getLogger("innocent")
    logger.debug("%s", x)
    text = f"{x.mean():.3f} of {x}"
    logger.debug(text)
    assert x.shape[1] == 3, text
    return x + 1


@innocent()
def told_by_a_thread(x: Tensor) -> Tensor:
    def tell() -> None:
        print(x.mean().item())

    shapes: list[torch.Size] = []
    for target in (tell, lambda: shapes.append(x.shape)):
        thread = Thread(target=target)
        thread.start()
        thread.join()
    return x + len(shapes)


@innocent()
def copied(x: Tensor) -> Tensor:
    y = x.clone().detach()
    y.mul_(2)
    return x + y


@innocent()
def clamped_through_data(x: Tensor) -> Tensor:
    y = x * 2
    y.data.clamp_(max=1e7)
    return y + x.data.mean()


@innocent()
def set_through_data(x: Tensor) -> Tensor:
    y = torch.zeros(3)
    y.data[:] = x.data[0]
    return x + y


@innocent()
def functions_by_a_fixed_number(x: Tensor) -> Tensor:
    functions: dict[int, Callable[[Tensor], Tensor]] = {1: torch.relu, 2: torch.tanh}
    return functions[x.dim()](x)


@innocent(sequences)
def einsum_of_a_batch(x: Tensor) -> Tensor:
    return torch.einsum("bti,bsi->bts", x, x)


@innocent()
def warned_of_something_else(x: Tensor) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.warn("slow", stacklevel=1)
    return x + 1


SET = torch.tensor(True)


@innocent()
class TruthsForNumbers(nn.Module):
    """True and False where torch takes a number, which no graph can hold."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mask = (x > 0).masked_fill(x > 1, False) == False  # noqa: E712
        mask = torch.where(mask, mask, True) & torch.full((3,), True)
        return x * True + x.masked_fill(mask, True), mask * SET, x.new_full((3,), True) + x.sum(0, True)


@innocent()
def truth_for_a_number(x: Tensor) -> Tensor:
    return x * (x > 0).ne(False)


@innocent(lambda: torch.tensor([[1.0, 2.0, 3.0], [-1.0, 2.0, 3.0], [1.0, 0.5, 0.5], [2.0, 1.0, 1.0]]))
def changed_where_a_mask_says(x: Tensor) -> Tensor:
    y = x.clone()
    y[y < 0] *= 2
    y[y[:, 0] < 0] *= 3  # one row of the example, of which torch cuts off a dimension
    return y


@innocent(lambda: torch.tensor([[1.0, 2.0, 3.0], [-1.0, 2.0, 3.0], [-1.0, 0.5, 0.5], [2.0, 1.0, 1.0]]))
class ChangesWhereAMaskSays(nn.Module):
    """Traced as it is, without a function around it."""

    def forward(self, x: Tensor) -> Tensor:
        x = x + 0
        x[x[:, 0] < 0] += x[0] * 0.5
        x[(x[:, 0] < 0) & (x[:, 1] > 1)] *= 2
        return x
