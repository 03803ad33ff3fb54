"""What makes a function an architecture of the table, and what the recipes share."""

from __future__ import annotations

import dataclasses
import functools
import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from transformers import PreTrainedConfig

import kit

hf: Any = transformers  # configurations take more keywords than their types say
ARCHITECTURES: dict[str, Callable[[], kit.Recipe]] = {}

BATCH = kit.Dim("batch", 1, 8)
LENGTH = kit.Dim("length", 1, 64)
WORDS = 99
# Batch and length of the golden cases; the first is the example, which has padding where there is a mask.
SIZES = ((2, 7), (1, 1), (3, 12), (5, 33))

Shape = Mapping[str, Mapping[int, kit.Dim]]


def member(function: Callable[[], kit.Recipe]) -> Callable[[], kit.Recipe]:
    """Adds a recipe under its own name, which also seeds its weights and inputs."""

    @functools.wraps(function)
    def seeded() -> kit.Recipe:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(zlib.crc32(function.__name__.encode()))
            return dataclasses.replace(function(), name=function.__name__)

    if function.__name__ in ARCHITECTURES:
        raise ValueError(f"there are two architectures of the name {function.__name__}")
    ARCHITECTURES[function.__name__] = seeded
    return seeded


def built(model_class: Callable[..., nn.Module], config: PreTrainedConfig, **arguments: Any) -> nn.Module:
    """The model with larger weights than transformers starts training with: a mask that is lost, or a
    position that is wrong, must show in the outputs."""
    model = model_class(config, **arguments)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1 and parameter.numel():
                parameter.normal_(0, 1 / math.sqrt(math.prod(parameter.shape[1:])))
    return model


def words(batch: int, length: int) -> Tensor:
    """Tokens, none of them special: padding and markers of models are below 5."""
    return torch.randint(5, WORDS, (batch, length))


def padding(batch: int, length: int) -> Tensor:
    """1 for tokens, 0 for the padding after them; the last row is full, and no row is empty."""
    counts = torch.randint(1, length + 1, (batch, 1))
    counts[-1] = length
    return (torch.arange(length) < counts).long()


def with_cases(model: nn.Module, cases: Sequence[Mapping[str, Any]], dynamic: Shape) -> kit.Recipe:
    """A recipe whose example is the first of its cases."""
    return kit.Recipe(model, kwargs=cases[0], dynamic=dynamic, cases=list(cases))


def text(model: nn.Module, mask: bool = True, sizes: Sequence[tuple[int, int]] = SIZES) -> kit.Recipe:
    """A model of tokens and, if it is called so, their mask."""

    def inputs(batch: int, length: int) -> dict[str, Tensor]:
        tokens = {"input_ids": words(batch, length)}
        return {**tokens, "attention_mask": padding(batch, length)} if mask else tokens

    names = ("input_ids", "attention_mask") if mask else ("input_ids",)
    cases = [inputs(*size) for size in sizes]
    return with_cases(model, cases, {name: {0: BATCH, 1: LENGTH} for name in names})


def pictures(model: nn.Module, least: int, sizes: Sequence[tuple[int, int]]) -> kit.Recipe:
    """A model of pictures of any height and width from `least` on."""
    cases = [
        {"pixel_values": torch.randn(index % 3 + 1, 3, *size)} for index, size in enumerate(sizes, start=1)
    ]
    dims = {0: BATCH, 2: kit.Dim("height", least, 128), 3: kit.Dim("width", least, 128)}
    return with_cases(model, cases, {"pixel_values": dims})


def images(model: nn.Module, size: int = 32) -> kit.Recipe:
    """A model of pictures of one size."""
    cases = [{"pixel_values": torch.randn(batch, 3, size, size)} for batch in (2, 1, 3, 5)]
    return with_cases(model, cases, {"pixel_values": {0: BATCH}})
