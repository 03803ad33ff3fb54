"""Whether all or any bytes are set: the eager model says so in bytes, Inductor's code in truth values.

In the graph the bytes are made truth values before, and the answer a byte after it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.fx import Graph, GraphModule, Node

aten = torch.ops.aten
_OPERATIONS = (aten.all, aten.any)


def bytes_as_truth(program: torch.export.ExportedProgram) -> None:
    """Let `all` and `any` of bytes give bytes in what is compiled, in place."""
    for module in program.graph_module.modules():
        for node in list(module.graph.nodes) if isinstance(module, GraphModule) else ():
            packet = getattr(node.target, "overloadpacket", None)
            if packet in _OPERATIONS and node.meta["val"].dtype == torch.uint8:
                _as_truth(module.graph, node)


def _as_truth(graph: Graph, node: Node) -> None:
    """The node becomes the last of three, so that it keeps its name and its users."""
    given, *rest = node.args
    with graph.inserting_before(node):
        truth = _call(graph, node, aten.to.dtype, (given, torch.bool), {})
        found = _call(graph, node, node.target, (truth, *rest), node.kwargs)
    node.target, node.args, node.kwargs = aten.to.dtype, (found, torch.uint8), {}


def _call(graph: Graph, like: Node, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Node:
    """A further node, from the line of another one."""
    made = graph.call_function(target, args, kwargs)
    values = torch.fx.map_arg(args, lambda one: one.meta["val"])
    made.meta = {**like.meta, "val": target(*values, **kwargs)}
    return made
