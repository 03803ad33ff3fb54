"""Mending a trace in progress: what torch's tracer writes down wrongly, or cannot write down.

- True and False where an operation takes a number, as in `mask == False` or `x * True`. The tracer puts them
  into the graph, and then fails with an internal error, or saves a program that fails. Tensors without
  dimensions compute the same.
- The shape of values that are set, as in `x[mask] *= 2`. The tracer cuts off leading dimensions of size 1, as
  they are where the mask selects one element, and only there. They may as well stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import torch
from torch import Tensor

from kit.guards.finding import Finding, refuse
from kit.guards.graph import Graph, Node, Value, place_of_node

_TENSORS = {value: torch.tensor(value) for value in (False, True)}
_FILLS = frozenset(["aten::full", "aten::full_like", "aten::new_full"])
"""They take only a number, and of the dtype of a tensor unless they make one of their own."""
_BOOL = 11
"""The number of the dtype in a graph."""


def mend(graph: Graph) -> bool:
    """Mend the graph of a trace in progress; whether there was anything to mend.

    Raises TraceError for a truth value that no tensor can take the place of.
    """
    wrong = list(_misplaced(graph))
    refuse([_finding(node, value) for node, place, value in wrong if not _replace(graph, node, place, value)])
    cut = [node for node in graph.findAllNodes("aten::index_put_") if _is_cut(node.inputsAt(2).node())]
    for node in cut:
        _leave_whole(node)
    return bool(wrong or cut)


def keep_tensors(program: torch.jit.ScriptModule) -> None:
    """Let a program take constant tensors that are True or False through an operation: as they are, torch
    loads them as plain truth values."""
    for part in program.modules():
        native: Any = part._c
        for name in native._method_names():
            graph = native._get_method(name).graph
            for node in graph.findAllNodes("prim::Constant"):
                if _is_truth(node.output().type()):
                    _detach(graph, node)


def _misplaced(graph: Graph) -> Iterator[tuple[Node, int, bool]]:
    for constant in graph.findAllNodes("prim::Constant"):
        if constant.output().type().kind() != "BoolType":
            continue
        for use in list(constant.output().uses()):
            node, place = use.user, use.offset
            if node.kind().startswith("aten::") and not _may_be_truth(node.schema(), place):
                yield node, place, bool(constant.output().toIValue())


@cache
def _may_be_truth(schema: str, place: int) -> bool:
    """Whether an argument of an operation may be a truth value. Where one may not, there is no schema."""
    if schema == "(no schema)":
        return False
    return bool(torch._C.parse_schema(schema).arguments[place].type.kind() != "NumberType")


def _replace(graph: Graph, node: Node, place: int, value: bool) -> bool:
    """Replace an argument, if there is such an operation."""
    given = node.inputsAt(place)
    node.replaceInput(place, _constant(graph, node, _TENSORS[value]))
    if node.schema() == "(no schema)" and node.kind() in _FILLS:
        node.replaceInput(place, _constant(graph, node, int(value)))
        if node.kind() == "aten::full" and node.inputsAt(2).type().kind() == "NoneType":
            node.replaceInput(2, _constant(graph, node, _BOOL))
    if node.schema() == "(no schema)":
        node.replaceInput(place, given)
    return bool(node.schema() != "(no schema)")


def _constant(graph: Graph, before: Node, value: Tensor | int) -> Value:
    node = graph.create("prim::Constant").insertBefore(before)
    if isinstance(value, Tensor):
        node.t_("value", value)
        node.output().inferTypeFrom(value)
    else:
        node.i_("value", value)
        node.output().setType(torch._C.IntType.get())
    return node.output()


def _finding(node: Node, value: bool) -> Finding:
    name = node.kind().rpartition("::")[2]
    return Finding(
        "fails",
        f"{name} is given {value} for a number here, which a TorchScript program cannot hold",
        f"write {int(value)}",
        place_of_node(node),
    )


def _is_cut(view: Node) -> bool:
    """Whether it is a view without leading dimensions of size 1."""
    if view.kind() != "aten::view":
        return False
    whole, cut = view.inputsAt(0).type().sizes(), view.output().type().sizes()
    return whole is not None and cut is not None and [1] * (len(whole) - len(cut)) + cut == whole


def _leave_whole(node: Node) -> None:
    view = node.inputsAt(2).node()
    sizes = view.inputsAt(1).node()
    node.replaceInput(2, view.inputsAt(0))
    for one in (view, sizes):
        if not one.output().uses():
            one.destroy()


def _is_truth(kind: Any) -> bool:
    return bool(kind.kind() == "TensorType" and kind.scalarType() == "Bool" and kind.dim() == 0)


def _detach(graph: Graph, constant: Node) -> None:
    uses = [(use.user, use.offset) for use in constant.output().uses() if use.user.kind() != "aten::detach"]
    if not uses:
        return
    detached = graph.create("aten::detach", [constant.output()], 1).insertAfter(constant)
    detached.output().setType(constant.output().type())
    for node, place in uses:
        node.replaceInput(place, detached.output())
