"""What makes a function a member of the zoo."""

from __future__ import annotations

import dataclasses
import functools
import zlib
from collections.abc import Callable

import torch

import kit
from kit.recipe import DEFAULT_CASES

FEW = 4  # golden cases: each new size makes TorchScript compile again
ZOO: dict[str, Callable[[], kit.Recipe]] = {}


def member(function: Callable[[], kit.Recipe]) -> Callable[[], kit.Recipe]:
    """Adds a recipe under its own name, which also seeds its weights and inputs."""

    @functools.wraps(function)
    def seeded() -> kit.Recipe:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(zlib.crc32(function.__name__.encode()))
            recipe = dataclasses.replace(function(), name=function.__name__)
        if recipe.cases == DEFAULT_CASES:
            recipe.cases = FEW
        return recipe

    if function.__name__ in ZOO:
        raise ValueError(f"the zoo has two members of the name {function.__name__}")
    ZOO[function.__name__] = seeded
    return seeded


BATCH = kit.Dim("batch", 1, 16)
