"""What the rules look at: the traces of a model on its example, on other sizes and on other values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kit.guards.devices import NamedDevice
from kit.guards.graph import Graph
from kit.guards.recorder import Event
from kit.signature import Dim


@dataclass(frozen=True)
class Trace:
    """One trace. what: the inputs that it was made with, in words. sizes: those of the dims in them.

    events: Python values that were taken from tensors. devices: those that the code names.
    warnings: reason and place of each of torch's tracer warnings that no event accounts for.
    """

    program: Any
    graph: Graph
    what: str = "the example"
    sizes: Mapping[str, int] = field(default_factory=dict)
    events: Sequence[Event] = ()
    devices: Sequence[NamedDevice] = ()
    warnings: Sequence[tuple[str, str, int]] = ()


@dataclass(frozen=True)
class Evidence:
    """Traces of a model: the first is that of the example. inputs, outputs: names in flat order."""

    traces: Sequence[Trace]
    inputs: Sequence[str]
    outputs: Sequence[str]
    dims: Sequence[Dim] = ()

    @property
    def example(self) -> Trace:
        """The trace that goes into the archive."""
        return self.traces[0]
