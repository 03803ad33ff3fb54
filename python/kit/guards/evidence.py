"""What the rules look at: the traces of a model on its example, on other sizes and on other values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from kit.guards.devices import NamedDevice
from kit.guards.graph import Graph, Node, Value, all_nodes, tensor_inputs
from kit.guards.recorder import Event, Holder
from kit.signature import Dim


@dataclass(frozen=True)
class Trace:
    """One trace. what: the inputs that it was made with, in words. sizes: those of the dims in them.

    events: Python values that were taken from tensors. devices: those that the code names.
    warnings: reason and place of each of torch's tracer warnings that no event accounts for.
    state: names of the parameters and buffers that are inputs of the graph, after those of the model.
    conversions: how often a tensor became a Python value, also where that is no event.
    texts: how often one that depends on values became a text that was not printed at once.
    outputs: what the model returned meanwhile, in flat order; None if that is not known, if it nests
    otherwise than for the example, or if inputs or buffers were changed.
    holders: who has the functions of torch that were watched; None if none were.
    recorded: the graph with what can't run of it, too, if that was taken out.
    """

    graph: Graph
    what: str = "the example"
    sizes: Mapping[str, int] = field(default_factory=dict)
    events: Sequence[Event] = ()
    devices: Sequence[NamedDevice] = ()
    warnings: Sequence[tuple[str, str, int]] = ()
    state: Sequence[str] = ()
    conversions: int = 0
    texts: int = 0
    outputs: Sequence[Tensor] | None = None
    holders: Sequence[Holder] | None = None
    recorded: Graph | None = None

    @property
    def compared(self) -> Graph:
        """What is compared with other traces. What torch folds of a graph is not the same each time."""
        return self.recorded or self.graph

    @cached_property
    def nodes(self) -> Sequence[Node]:
        """Every node of the graph in order."""
        return list(all_nodes(self.graph))

    @cached_property
    def kinds(self) -> Sequence[tuple[str, Node]]:
        """The same with the kind of each, which takes long to ask for."""
        return [(node.kind(), node) for node in self.nodes]

    @cached_property
    def text(self) -> str:
        """What is compared, without sizes and lines of code, and without the values that print as less than
        they are."""
        graph = self.compared.copy()
        torch._C._jit_pass_erase_shape_information(graph)
        return str(graph.str(print_source_ranges=False))

    @property
    def arguments(self) -> list[Value]:
        """The inputs of the graph that are those of the model."""
        values = tensor_inputs(self.graph)
        return values[: len(values) - len(self.state)]


@dataclass(frozen=True)
class Evidence:
    """Traces of a model: the first is that of the example. inputs, outputs: names in flat order."""

    traces: Sequence[Trace]
    inputs: Sequence[str]
    outputs: Sequence[str]
    dims: Sequence[Dim] = ()

    @property
    def example(self) -> Trace:
        """The trace of what goes into the archive."""
        return self.traces[0]
