"""A model with every kind of class, function and name that TorchScript writes into an archive."""

# No `from __future__ import annotations`: torch.jit.script needs the annotations themselves.

import warnings
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.jit import Final  # type: ignore[attr-defined]


class Pair(NamedTuple):
    first: Tensor
    second: Tensor


def shift(x: Tensor, by: int = 1) -> Tensor:
    text = 'a quote " and a name __torch__.torch.nn.modules.linear.Linear'
    if x.size(0) > 100:
        print(text)
    return x + by


class Scripted(nn.Module):
    """What tracing does not write: branches, loops, forks, named tuples, attributes, keyword arguments."""

    factor: Final[int]

    def __init__(self) -> None:
        super().__init__()
        self.factor = 3
        self.layers = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)])
        self.table = {"one": Pair(torch.ones(3), torch.zeros(3))}

    def forward(self, x: Tensor) -> Tensor:
        dtype = x.dtype
        for layer in self.layers:
            x = layer(x)
        pair = Pair(x, torch.zeros(3, dtype=dtype))
        future = torch.jit.fork(shift, x)
        total = torch.jit.wait(future)
        for i in range(x.size(0)):
            total = total + i
        while bool(total.sum() < 0):
            total = total + 1
        if bool(total.sum() > 0):
            total = total * self.factor
        return total + pair.first + self.table["one"][0]


class Net(nn.Module):
    """Repeated, nested, shared and scripted submodules, and constants."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.block = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))
        self.shared = self.block
        self.scripted = torch.jit.script(Scripted())
        self.encoder = nn.TransformerEncoderLayer(3, 1, 4, batch_first=True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.block(self.first(x)) + self.shared(x) + torch.tensor([1.0, 2.0, 3.0])
        return self.scripted(y) + self.encoder(y[None])[0], x


def program() -> Any:
    """A trace of the model; its weights are the same each time."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own attention asserts on shapes
        return torch.jit.trace(Net().eval(), torch.ones(2, 3), check_trace=False)
