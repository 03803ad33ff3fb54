"""Operations that are recorded in the wrong mode, on the wrong device, at random, or for nothing."""

from __future__ import annotations

import random
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.guards.registry import offender, sequences


class Halving(torch.autograd.Function):
    """What is called in the next one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x / 2

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient / 2


@offender("python-function")
def autograd_function(x: Tensor) -> Tensor:
    return Halving.apply(x) + 1  # here


@torch.library.custom_op("kit_offenders::halve", mutates_args=())
def halve(x: Tensor) -> Tensor:
    """What is called in the next one."""
    return x / 2


@halve.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


@offender("python-function")
def operator_from_python(x: Tensor) -> Tensor:
    return halve(x) + 1  # here


class Applying(torch.autograd.Function):
    """What is called in the next one."""

    @staticmethod
    def forward(ctx: Any, part: nn.Module, x: Tensor) -> Any:
        return part(x)


@offender("python-function")
class PartOfAnAutogradFunction(nn.Module):
    """Torch cannot even trace one that takes a module, as checkpointing with use_reentrant=True does."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return Applying.apply(self.linear, x)  # here


@offender("baked-device")
def zeros_on_the_cpu(x: Tensor) -> Tensor:
    return x + torch.zeros(3, device="cpu")  # here


@offender("baked-device")
def range_on_a_device(x: Tensor) -> Tensor:  # pytorch/pytorch#12580
    return x + torch.arange(x.shape[0], device=torch.device("cpu"))[:, None]  # here


@offender("baked-device")
def moved_to_the_cpu(x: Tensor) -> Tensor:
    return x.cpu() + 1  # here


@offender("baked-device")
def moved_by_name(x: Tensor) -> Tensor:
    return x.to("cpu") + 1  # here


@offender("baked-device")
class DeviceOfItsOwn(nn.Module):
    """The device is written down when the model is made."""

    def __init__(self) -> None:
        super().__init__()
        self.device = torch.device("cpu")

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.tensor([1.0, 2.0, 3.0], device=self.device)  # here


@offender("training-mode")
def dropout_that_drops(x: Tensor) -> Tensor:  # pytorch/pytorch#68190
    return F.dropout(x, 0.5)  # here


@offender("training-mode")
def feature_dropout(x: Tensor) -> Tensor:
    return F.alpha_dropout(x, 0.5, training=True)  # here


@offender("training-mode")
class NormOfTheBatch(nn.Module):  # pytorch/pytorch#18312
    """Normalizes by the batch at hand, although it has statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.mean, self.variance = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.ones(3))

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, self.mean.clone(), self.variance.clone(), training=True)  # here


@offender("random")
def noise(x: Tensor) -> Tensor:
    return x + torch.rand(3)  # here


@offender("random")
def noise_like_the_input(x: Tensor) -> Tensor:  # pytorch/pytorch#43765
    return x + torch.randn_like(x)  # here


@offender("random")
def noise_in_place(x: Tensor) -> Tensor:
    return x + torch.empty(3).uniform_()  # here


@offender("random")
def sampled(x: Tensor) -> Tensor:
    return torch.multinomial(x.softmax(1), 1)  # here


@offender("random", example=sequences)
def attention_that_drops(x: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(x, x, x, dropout_p=0.3)  # here


@offender("not-repeatable")
def number_from_python(x: Tensor) -> Tensor:
    return x * random.random()


@offender("unused-input", example=lambda: (torch.randn(4, 3), torch.ones(4)))
def ignored_mask(x: Tensor, mask: Tensor) -> Tensor:
    return x + 1


@offender("unused-input", example=lambda: (torch.randn(4, 3), torch.ones(4)))
def overwritten_input(x: Tensor, mask: Tensor) -> Tensor:
    mask = x[:, 0] > 0
    return x * mask[:, None]


@offender("constant-output")
def constant_beside(x: Tensor) -> tuple[Tensor, Tensor]:  # pytorch/pytorch#21774
    return x + 1, torch.ones(3) * 2  # here


@offender("constant-output")
class WeightOnly(nn.Module):
    """The second output is a function of the weights."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.linear(x), self.linear.weight.square().sum()  # here
