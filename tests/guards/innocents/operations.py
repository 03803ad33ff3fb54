"""Operations that look random, in training, in place or bound to a device, and are not."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm
from torch.utils.checkpoint import checkpoint

from tests.guards.registry import BATCH, innocent, sequences
from tests.torch_version import TORCH


@innocent()
class DropoutByTheFlag(nn.Module):
    """Functional dropout that is told the mode."""

    def forward(self, x: Tensor) -> Tensor:  # pytorch/pytorch#68190
        return F.dropout(x, 0.5, training=self.training) + F.dropout(x, 0.0)


class Halving(torch.autograd.Function):
    """What only training calls in the next one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x / 2

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


@innocent()
class AutogradFunctionInTraining(nn.Module):
    """An autograd function, but not in eval mode."""

    def forward(self, x: Tensor) -> Tensor:
        return Halving.apply(x) if self.training else x / 2


@innocent()
class DropoutAsAModule(nn.Module):
    """Dropout and a norm, which eval mode turns into other things."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(3), nn.AlphaDropout(0.1), nn.RReLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.parts(x)


class Dropping(nn.Module):
    """What is scripted in the next one."""

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, 0.5, training=self.training) if x.shape[0] > 2 else x


@innocent()
class ScriptedDropout(nn.Module):
    """A scripted part reads the training flag when it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.part = torch.jit.script(Dropping())
        self.linear = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.part(x))


@innocent(lambda: torch.randn(4, 3, 5))
class InstanceNorm(nn.Module):
    """It has no statistics but those of the input at hand, in training or not."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.InstanceNorm1d(3)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x)


@innocent()
def device_of_an_input(x: Tensor) -> Tensor:  # pytorch/pytorch#31141
    device = x.device
    return x + torch.arange(3, device=device) + torch.ones(3).to(x.device) + torch.zeros(3, device=x.device)


@innocent()
def kind_of_an_input(x: Tensor) -> Tensor:
    if x.is_cuda or x.device.type == "mps":
        return x.float() + 1
    return x.to(torch.float64).to(x.dtype) + torch.ones(3).to(x)


@innocent()
def own_tensor_in_place(x: Tensor) -> Tensor:
    y = torch.zeros_like(x)
    y[:, 0] = x[:, 1]
    y[1:] += x[:-1]
    return y.clamp_(min=0)


@innocent()
def cast_in_place(x: Tensor) -> Tensor:
    """A cast to another dtype is a tensor of its own."""
    y = x.bfloat16()
    y.index_put_((torch.tensor([0]),), torch.zeros(3, dtype=torch.bfloat16))
    z = x.to(torch.float64)
    z += 1
    return y.float() + z.float()


@innocent(sequences, {"x": {0: BATCH}})
def other_layout_in_place(x: Tensor) -> Tensor:
    """So are a transposed tensor that was made contiguous, or flattened, and an explicit copy."""
    y = x.transpose(1, 2).contiguous().mul_(2)
    z = x.mT.reshape(x.shape[0], -1)
    z[:, 0] = 0
    return y.flatten(1) + z + x.to(x.dtype, copy=True).add_(1).flatten(1)


@innocent()
class CopiesItsWeights(nn.Module):
    """Copies of a parameter are written to, and the parameter is not."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        halved = self.linear.weight.half().clamp_(-0.1, 0.1)
        flat = self.linear.weight.t().reshape(-1)
        flat[0] = 0
        return x @ halved.float() + x @ flat.view(3, 3)


@innocent()
def input_bound_to_another_name(x: Tensor) -> Tensor:
    y = x
    y = y + 1
    y += 1
    return y


if TORCH >= (2, 12):  # before, checkpointing called an autograd function of its own also without gradients

    @innocent()
    class CheckpointedBlock(nn.Module):  # pytorch/pytorch#40912
        """Checkpointing saves memory in training, and does nothing here."""

        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            return checkpoint(self.linear, x, use_reentrant=False)


@innocent(tolerances={"bfloat16": (2e-2, 2e-2)})
class Autocast(nn.Module):  # pytorch/pytorch#84092
    """Weights are cast in the call."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return self.linear(x)


@innocent()
class WeightNorm(nn.Module):  # pytorch/pytorch#30754
    """A weight that is computed from others in each call."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = weight_norm(nn.Linear(3, 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


@innocent(lambda: torch.randint(0, 7, (4, 5)))
class TiedWeights(nn.Module):
    """The embedding's table is the last layer's weight."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 3)
        self.last = nn.Linear(3, 7)
        self.last.weight = self.embedding.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.embedding(x))


@innocent()
class SharedBlock(nn.Module):  # pytorch/pytorch#22680
    """One layer is used several times."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.Linear(3, 3)
        self.layers = nn.Sequential(layer, nn.Tanh(), layer)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


@innocent()
class ReadsItsBuffer(nn.Module):
    """A buffer that is there to be read, and a copy of it that is written to."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.randn(3))

    def forward(self, x: Tensor) -> Tensor:
        mean = self.mean.clone()
        mean += 1
        return x - mean


@innocent()
class SetsAnAttribute(nn.Module):
    """What it keeps on itself is set anew in each call before it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.size: int | Tensor = 0

    def forward(self, x: Tensor) -> Tensor:
        self.size = x.shape[0]
        return x * self.size


@innocent(lambda: (torch.randn(4, 3), torch.ones(4, 3)))
def size_of_another_input(x: Tensor, like: Tensor) -> Tensor:
    return x[:, : like.shape[1]] + 1


@innocent(sequences)
def attention_that_does_not_drop(x: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(x, x, x, dropout_p=0.0)


@innocent()
def output_of_a_size(x: Tensor) -> tuple[Tensor, Tensor]:
    return x + 1, torch.ones(3) * x.shape[0]


@innocent(lambda: (torch.randn(4, 3), torch.ones(4, 3)), allow=["unused-input:mask"])
def allowed_to_ignore(x: Tensor, mask: Tensor) -> Tensor:
    return x + 1


@innocent(allow=["constant-output:output.1"])
def allowed_constant(x: Tensor) -> tuple[Tensor, Tensor]:
    return x + 1, torch.ones(3) * 2


@innocent(allow=["random:rand_like"])
def allowed_noise(x: Tensor) -> Tensor:
    return x + torch.rand_like(x)


@innocent(allow=["training-mode:dropout"])
def allowed_dropout(x: Tensor) -> Tensor:
    return F.dropout(x, 0.5)


@innocent(allow="baked-device")
def allowed_device(x: Tensor) -> Tensor:
    return x + torch.zeros(3, device="cpu")
