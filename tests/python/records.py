"""Named tuples and dataclasses of tensors, as models take and return them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, fields
from typing import NamedTuple

from torch import Tensor


class Point(NamedTuple):
    x: Tensor
    y: Tensor


@dataclass(frozen=True)
class Options:
    """Some of it fixed, some of it not given to the constructor."""

    gain: Tensor
    bias: Tensor | None = None
    mode: str = "linear"
    steps: int = field(init=False, default=3)


@dataclass
class Batch:
    x: Tensor
    options: Options


@dataclass
class ModelOutput(OrderedDict):  # type: ignore[type-arg]
    """As in transformers: a dict of what is not None, whose entries are attributes too."""

    logits: Tensor | None = None
    loss: Tensor | None = None
    hidden: tuple[Tensor, ...] | None = None

    def __post_init__(self) -> None:
        for one in fields(self):
            if getattr(self, one.name) is not None:
                self[one.name] = getattr(self, one.name)
