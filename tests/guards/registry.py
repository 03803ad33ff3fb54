"""What makes a model an offender, which the guards must find, or an innocent, which they must let pass."""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

import kit

BATCH = kit.Dim("batch", 1, 16)
TIME = kit.Dim("time", 1, 12)
BY_BATCH = {"x": {0: BATCH}}
CASES = 4
MARK = "# here"

Example = Callable[[], Any]
Dynamic = dict[str, dict[int, kit.Dim]]
Source = TypeVar("Source", bound=Callable[..., Any])


@dataclass(frozen=True)
class Model:
    """A function or a module class with its example, and for an offender the rules that it breaks.

    lines: those of its source that bear the mark, which each finding with a place must name.
    """

    name: str
    source: Any
    example: Example
    dynamic: Dynamic
    rules: frozenset[str]
    options: dict[str, Any]

    @property
    def lines(self) -> set[int]:
        """Numbers of the marked lines in its file."""
        text, first = inspect.getsourcelines(self.source)
        return {first + index for index, line in enumerate(text) if MARK in line}

    @property
    def file(self) -> str:
        """Where its source is."""
        return str(inspect.getsourcefile(self.source))

    def recipe(self) -> kit.Recipe:
        """The model with weights and example that its name seeds."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(zlib.crc32(self.name.encode()))
            model = self.source() if inspect.isclass(self.source) else self.source
            return kit.Recipe(
                model,
                self.example(),
                name=self.name,
                dynamic=self.dynamic,
                **{"cases": CASES, **self.options},
            )


OFFENDERS: dict[str, Model] = {}
INNOCENTS: dict[str, Model] = {}


def offender(
    *rules: str, example: Example | None = None, dynamic: Dynamic | None = None, **options: Any
) -> Callable[[Source], Source]:
    """Adds a model that breaks these rules. example: makes the arguments, by default x: float32[4, 3] with
    any batch. options: further fields of the recipe."""
    return _adder(OFFENDERS, frozenset(rules), example, dynamic, options)


def innocent(
    example: Example | None = None, dynamic: Dynamic | None = None, **options: Any
) -> Callable[[Source], Source]:
    """Adds a model that breaks none."""
    return _adder(INNOCENTS, frozenset(), example, dynamic, options)


def _adder(
    known: dict[str, Model],
    rules: frozenset[str],
    example: Example | None,
    dynamic: Dynamic | None,
    options: dict[str, Any],
) -> Callable[[Source], Source]:
    def add(source: Source) -> Source:
        name = source.__name__
        if name in known:
            raise ValueError(f"there are two models of the name {name}")
        dims = BY_BATCH if dynamic is None else dynamic
        known[name] = Model(name, source, example or rows, dims, rules, options)
        return source

    return add


def rows() -> Tensor:
    """float32[4, 3]."""
    return torch.randn(4, 3)


def sequences() -> Tensor:
    """float32[4, 5, 6]."""
    return torch.randn(4, 5, 6)


BY_TIME: Dynamic = {"x": {0: BATCH, 1: TIME}}
"""Dims of sequences."""

Module = nn.Module
