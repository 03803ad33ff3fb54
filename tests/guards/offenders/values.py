"""Decisions on the values of tensors."""

from __future__ import annotations

import torch
from torch import Tensor, is_nonzero, nn

from tests.guards.registry import offender


@offender("value-branch")
def if_on_a_sum(x: Tensor) -> Tensor:
    if x.sum() > 0:  # here
        return x + 1
    return x


@offender("value-branch")
def ternary_on_any(x: Tensor) -> Tensor:  # pytorch/pytorch#23498
    selected = x[:, 0] > 1
    return x * 2 if selected.any() else x  # here


@offender("value-branch")
def while_above(x: Tensor) -> Tensor:
    while x.abs().max() > 0.1:  # here
        x = x / 2
    return x


@offender("value-branch")
def assertion_on_values(x: Tensor) -> Tensor:
    assert not torch.isnan(x).any(), "NaN"  # here
    return x + 1


@offender("value-branch", example=lambda: torch.tensor([0, 4, 2, 1]))
def data_beyond_a_limit(x: Tensor) -> Tensor:
    if x.data.max() >= 5:  # here
        return x * 0
    return x + 1


@offender("value-branch")
class InInferenceMode(nn.Module):
    """Tensors that have no version."""

    @torch.inference_mode()
    def forward(self, x: Tensor) -> Tensor:
        if x.max() > 0:  # here
            return x * 2
        return x + 1


@offender("value-branch")
def early_return(x: Tensor) -> Tensor:
    y = x.tanh()
    if (y == 0).all():  # here
        return y
    return y * 2


@offender("value-branch")
def comparison_of_tensors(x: Tensor) -> Tensor:
    if torch.equal(x, x.abs()):  # here
        return x + 1
    return x - 1


@offender("value-branch")
def allclose(x: Tensor) -> Tensor:
    if torch.allclose(x, torch.zeros_like(x)):  # here
        return x + 1
    return x - 1


@offender("value-branch")
def and_of_tensors(x: Tensor) -> Tensor:
    if x.min() < 0 and x.max() > 0:  # here
        return x * 2
    return x


@offender("value-branch")
def inside_try(x: Tensor) -> Tensor:
    try:
        if x.mean() > 0:  # here
            raise ValueError
    except ValueError:
        return -x
    return x


@offender("value-branch")
def python_max(x: Tensor) -> Tensor:
    return x * max(x[0, 0], x[0, 1])  # here


@offender("value-branch")
def recursion(x: Tensor) -> Tensor:
    if x.abs().sum() > 1:  # here
        return recursion(x / 2)
    return x


@offender("value-branch")
class MemberOfASet(nn.Module):
    """A mask is written in place into a copy of x, and then decides."""

    def forward(self, x: Tensor) -> Tensor:
        mask = torch.zeros(x.shape[0], dtype=torch.bool)
        mask[:] = x[:, 0] > 0
        if mask[0]:  # here
            return x + 1
        return x


@offender("value-branch", example=lambda: (torch.randn(4, 3), torch.tensor(2)))
def number_in_a_tuple(x: Tensor, kind: Tensor) -> Tensor:
    return x + 1 if kind in (1, 2) else x  # here


@offender("value-branch")
def number_of_selected(x: Tensor) -> Tensor:  # pytorch/pytorch#22485
    selected = x[x[:, 0] > 0]
    if selected.shape[0] > 1:  # here
        return x + selected.sum()
    return x


@offender("value-branch")
def nonzero_or_not(x: Tensor) -> Tensor:
    if x.relu().nonzero().numel() == 0:  # here
        return x + 1
    return x


@offender("value-branch")
def found_by_where(x: Tensor) -> Tensor:
    rows = torch.where(x[:, 0].abs() > 1e6)[0]
    if rows.numel() == 0:  # here
        return x + 1
    return x * 2


@offender("value-branch", dynamic={})
def found_by_nonzero(x: Tensor) -> Tensor:
    rows, _ = (x.abs() > 1e6).nonzero(as_tuple=True)
    return x + 1 if rows.shape[0] == 0 else x * 2  # here


@offender("value-branch")
def repeated_as_often_as_told(x: Tensor) -> Tensor:
    large = x.repeat_interleave((x[:, 0].abs() > 1e6).long(), 0)
    return x + 1 if large.shape[0] == 0 else x * 2  # here


@offender("value-branch")
def function_under_its_own_name(x: Tensor) -> Tensor:
    return x + 1 if is_nonzero((x.abs() > 1e6).sum()) else x * 2  # here
