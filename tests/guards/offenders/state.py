"""Models that change what they are given, or remember what they were given."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.guards.registry import offender


@offender("mutated-input")
def added_in_place(x: Tensor) -> Tensor:  # pytorch/pytorch#113945
    x += 1  # here
    return x


@offender("mutated-input")
def slice_of_the_input(x: Tensor) -> Tensor:  # pytorch/pytorch#43548
    x[:, 2] = 0  # here
    return x * 2


@offender("mutated-input")
def through_a_view(x: Tensor) -> Tensor:
    first = x.view(-1)[:3]
    first.mul_(2)  # here
    return x + 0


@offender("mutated-input")
def masked_fill(x: Tensor) -> Tensor:
    return x.masked_fill_(x < 0, 0.0)  # here


@offender("mutated-input", example=lambda: torch.randn(4, 3).bfloat16())
def cast_to_what_it_is(x: Tensor) -> Tensor:
    y = x.bfloat16()
    y.index_put_((torch.tensor([0]),), torch.zeros(3, dtype=torch.bfloat16))  # here
    return y * 2


@offender("mutated-input")
def contiguous_as_it_is(x: Tensor) -> Tensor:
    x.contiguous().mul_(2)  # here
    return x + 1


@offender("mutated-input")
def reshaped(x: Tensor) -> Tensor:
    y = x.T.reshape(3, -1, 1)
    y[0] = 0  # here
    return x + 1


@offender("mutated-input")
def through_data(x: Tensor) -> Tensor:
    x.data.mul_(2)  # here
    return x + 1


@offender("mutated-input")
def through_data_where_it_is_large(x: Tensor) -> Tensor:
    x.data.clamp_(max=1e7)  # here
    return x + 1


@offender("mutated-input")
def through_an_unsafe_view(x: Tensor) -> Tensor:
    x.unsafe_chunk(3, 1)[0].mul_(2)  # here
    return x + 1


@offender("mutated-input", example=lambda: torch.ones(4, 3, dtype=torch.bool))
def mask_in_place(x: Tensor) -> Tensor:
    x &= torch.tensor([True, False, True])  # here
    return ~x


@offender("mutated-input")
class InplaceRelu(nn.Module):
    """An activation that saves memory at the caller's cost."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(x) + 1  # here


@offender("mutated-buffer")
class CountsCalls(nn.Module):
    """Counts how often it is called."""

    calls: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1  # here
        return x + self.calls


@offender("mutated-buffer")
class WasMadeInInferenceMode(nn.Module):
    """The buffer has no version, and is written to once."""

    total: Tensor

    def __init__(self) -> None:
        super().__init__()
        with torch.inference_mode():
            self.register_buffer("total", torch.zeros(3))
        self.done = False

    @torch.inference_mode()
    def forward(self, x: Tensor) -> Tensor:
        if not self.done:
            self.total += x.sum(0)  # here
            self.done = True
        return x + self.total


@offender("mutated-buffer")
class SetsABuffer(nn.Module):  # pytorch/pytorch#17990
    """Adds up what it is given."""

    total: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        self.total = self.total + x.sum(0)  # here
        return x + self.total


@offender("mutated-buffer")
class RegistersABufferAnew(nn.Module):
    """Replaces a buffer for the most rows so far, as transformers' dynamic rotary embedding does."""

    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.most: int | Tensor = 0
        self.register_buffer("scale", torch.ones(3))

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[0] > self.most:
            self.most = x.shape[0]
            self.register_buffer("scale", torch.ones(3) / x.shape[0], persistent=False)  # here
        return x * self.scale


@offender("mutated-buffer")
class RunningMean(nn.Module):
    """A mean that goes on in eval mode."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        self.mean.mul_(0.9).add_(x.mean(0), alpha=0.1)  # here
        return x - self.mean


@offender("mutated-buffer")
class ClampsItsWeights(nn.Module):  # pytorch/pytorch#133678
    """A parameter is written to during the call."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        self.linear.weight.clamp_(-0.1, 0.1)  # here
        return self.linear(x)


@offender("mutated-buffer")
class ClampsTheDataOfItsWeights(nn.Module):
    """The weights of the example are within the limits."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        self.linear.weight.data.clamp_(-10, 10)  # here
        return self.linear(x)


@offender("mutated-buffer")
class CastsItsWeightsToWhatTheyAre(nn.Module):
    """No copy is made for a dtype and a layout that are those of the parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        self.linear.weight.float().contiguous().clamp_(-0.1, 0.1)  # here
        return self.linear(x)


@offender("not-repeatable")
class KeepsItsState(nn.Module):  # pytorch/pytorch#69830
    """The hidden state is a plain attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.state = torch.zeros(3)

    def forward(self, x: Tensor) -> Tensor:
        self.state = self.state + x.mean(0)
        return x + self.state


@offender("not-repeatable")
class CountsInPython(nn.Module):
    """A Python number that grows."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x * self.calls


@offender("not-repeatable")
class FirstCallDiffers(nn.Module):
    """A scale is taken from the first batch that it sees, as data-dependent initialization does."""

    def __init__(self) -> None:
        super().__init__()
        self.scale: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.scale is None else x / self.scale
        self.scale = torch.full((), 2.0)
        return y


class _Initialized(nn.Module):
    """What it is initialized with comes from the first batch that it sees, before that is used."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))
        self.shift = torch.zeros(3)
        self.mean: Tensor | None = None
        self.means: dict[str, list[Tensor]] = {"all": []}
        self.initialized = False


@offender("not-repeatable")
class InitializesAParameter(_Initialized):
    """As an activation norm does."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.initialized:
            self.weight.copy_(x.std(0) + 1)  # here
            self.initialized = True
        return x * self.weight


@offender("not-repeatable")
class InitializesTheDataOfAParameter(_Initialized):
    """As it was written before torch.no_grad."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.initialized:
            self.weight.data.copy_(x.std(0) + 1)  # here
            self.initialized = True
        return x * self.weight


@offender("not-repeatable")
class KeepsTheFirstMean(_Initialized):
    """In a plain attribute."""

    def forward(self, x: Tensor) -> Tensor:
        if self.mean is None:
            self.mean = x.mean(0)  # here
        return x + self.mean


@offender("not-repeatable")
class KeepsTheFirstMeanInAList(_Initialized):
    """In a list in a dict."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.means["all"]:
            self.means["all"].append(x.mean(0))  # here
        return x + self.means["all"][0]


@offender("not-repeatable")
class WritesTheFirstMean(_Initialized):
    """Into a tensor that is a plain attribute."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.initialized:
            self.shift.copy_(x.mean(0))  # here
            self.initialized = True
        return x + self.shift


@offender("not-repeatable")
class MakesAParameterOfTheFirstMean(_Initialized):
    """Registered in the first call."""

    def forward(self, x: Tensor) -> Tensor:
        if self.mean is None:
            self.mean = x.mean(0)  # here
            self.bias = nn.Parameter(self.mean)
        return x + self.bias


@offender("not-repeatable")
class RegistersTheFirstMean(_Initialized):
    """As a buffer that there was not before."""

    def forward(self, x: Tensor) -> Tensor:
        if not hasattr(self, "first"):
            self.register_buffer("first", x.mean(0))  # here
        return x + self.get_buffer("first")
