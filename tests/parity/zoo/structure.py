"""What a model takes and gives beyond one tensor: tuples, dicts, keywords, and a function for a module."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import kit
from tests.parity.zoo.registry import BATCH, member

Boxes = tuple[Tensor, dict[str, Tensor]]


class TwoAndTwo(nn.Module):
    """a: float32[batch, 3], b: float32[batch, 4] → float32[batch, 2] and float32[batch, 5]."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Linear(7, 2)
        self.right = nn.Bilinear(3, 4, 5)

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        return self.left(torch.cat([a, b], dim=1)), self.right(a, b)


@member
def two_inputs_two_outputs() -> kit.Recipe:
    return kit.Recipe(
        TwoAndTwo(), args=(torch.randn(2, 3), torch.randn(2, 4)), dynamic={"a": {0: BATCH}, "b": {0: BATCH}}
    )


class Nested(nn.Module):
    """Takes (x, {"shift": …, "scale": …}), and gives a dict that holds a tuple and a list."""

    def forward(self, boxes: Boxes) -> dict[str, Tensor | tuple[Tensor, ...]]:
        x, by = boxes
        y = x * by["scale"] + by["shift"]
        return {"moved": y, "bounds": (y.amin(dim=1), y.amax(dim=1))}


@member
def nested_dict_and_tuple() -> kit.Recipe:
    boxes = (torch.randn(2, 4), {"shift": torch.randn(2, 4), "scale": torch.randn(2, 1)})
    leaves = ("boxes.0", "boxes.1.shift", "boxes.1.scale")
    return kit.Recipe(Nested(), args=(boxes,), dynamic={leaf: {0: BATCH} for leaf in leaves})


class NestedTuples(nn.Module):
    """x: float32[batch, 4] → ((float32, float32), (int64, ))."""

    def forward(self, x: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor]]:
        return (x.sin(), x.cos()), (x.argsort(dim=1, stable=True),)


@member
def nested_tuples() -> kit.Recipe:
    return kit.Recipe(NestedTuples(), args=(torch.randn(2, 4),), dynamic={"x": {0: BATCH}})


class Lists(nn.Module):
    """xs: a list of tensors of different widths → a list of their sums and the sum of these."""

    def forward(self, xs: list[Tensor]) -> list[Tensor]:
        sums = [x.sum(dim=1) for x in xs]
        return [*sums, torch.stack(sums).sum(dim=0)]


@member
def lists() -> kit.Recipe:
    xs = [torch.randn(2, width) for width in (3, 1, 4)]
    return kit.Recipe(Lists(), args=(xs,), dynamic={f"xs.{i}": {0: BATCH} for i in range(3)})


class Keywords(nn.Module):
    """Called as model(x, bias=…, gate=…), the order of the keywords not that of the parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x: Tensor, *, gate: Tensor, bias: Tensor) -> Tensor:
        return self.linear(x) * gate.sigmoid() - bias


@member
def keywords() -> kit.Recipe:
    return kit.Recipe(
        Keywords(),
        args=(torch.randn(2, 3),),
        kwargs={"bias": torch.randn(3), "gate": torch.randn(2, 3)},
        dynamic={"x": {0: BATCH}, "gate": {0: BATCH}},
    )


def mean_and_deviation(x: Tensor) -> tuple[Tensor, Tensor]:
    return x.mean(dim=1), x.std(dim=1)


@member
def plain_function() -> kit.Recipe:
    return kit.Recipe(mean_and_deviation, args=(torch.randn(2, 6),), dynamic={"x": {0: BATCH}})


class WithConstants(nn.Module):
    """Gives a dict in which not everything is a tensor."""

    def forward(self, x: Tensor) -> dict[str, Tensor | int | None]:
        return {"loss": None, "logits": x * 2, "version": 3}


@member
def constants_in_output() -> kit.Recipe:
    return kit.Recipe(WithConstants(), args=(torch.randn(2, 3),), dynamic={"x": {0: BATCH}})
