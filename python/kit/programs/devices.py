"""Letting a program make its tensors where its inputs are.

A trace keeps the device of each tensor that the model makes (`torch.zeros(n, device=x.device)`) as a
constant, so the program would run on no other. Here the constant becomes the device of an input or a
parameter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch


def follow_inputs(program: torch.jit.ScriptModule, device: torch.device | None) -> None:
    """Let operations that are told `device` by a constant, or any device if it is None, use that of an input.

    In a method without tensor inputs it is the device of a parameter or buffer; where there is none either,
    the constant stays. Changes the program in place.
    """
    for part in program.modules():
        native: Any = part._c
        for name in native._method_names():
            graph = native._get_method(name).graph
            for node in graph.findAllNodes("prim::Constant"):
                if node.output().type().kind() == "DeviceObjType" and _same(node.output().toIValue(), device):
                    _follow(graph, part, node)


def _same(given: Any, device: torch.device | None) -> bool:
    one = torch.device(given)
    return device is None or (one.type == device.type and (one.index or 0) == (device.index or 0))


def _follow(graph: Any, part: Any, constant: Any) -> None:
    uses = list(_uses(constant))
    tensor = _tensor(graph, part, constant) if uses else None
    if tensor is None:
        return
    found = graph.create("prim::device", [tensor], 1).insertBefore(constant)
    found.output().setType(constant.output().type())
    for user, offset in uses:
        user.replaceInput(offset, found.output())
    if not constant.output().uses():
        constant.destroy()


def _uses(constant: Any) -> Iterator[tuple[Any, int]]:
    """Where the constant says on which device to make a tensor."""
    for use in constant.output().uses():
        kind = use.user.kind()
        if not kind.startswith("aten::"):
            continue
        arguments = torch._C.parse_schema(use.user.schema()).arguments
        if use.offset < len(arguments) and arguments[use.offset].name == "device":
            yield use.user, use.offset


def _tensor(graph: Any, part: Any, before: Any) -> Any:
    """A tensor that is on the device of the model: an input of the graph, else a parameter or buffer."""
    inputs = list(graph.inputs())
    for value in inputs:
        if value.type().kind() == "TensorType" and not _is_number(value):
            return value
    path = next((name for name, _ in [*part.named_parameters(), *part.named_buffers()]), None)
    if path is None:
        return None
    value = inputs[0]
    *modules, last = path.split(".")
    for name in modules:
        part = getattr(part, name)
        value = _attribute(graph, value, name, part._c._type(), before)
    return _attribute(graph, value, last, torch._C.TensorType.get(), before)


def _attribute(graph: Any, owner: Any, name: str, kind: Any, before: Any) -> Any:
    node = graph.create("prim::GetAttr", [owner], 1)
    node.s_("name", name)
    node.insertBefore(before)
    node.output().setType(kind)
    return node.output()


def _is_number(value: Any) -> bool:
    """Whether the value only ever stands for a Python number, which stays on the CPU."""
    users = {use.user.kind() for use in value.uses()}
    return bool(users) and users <= {"aten::Int", "aten::Float", "aten::Bool", "aten::ScalarImplicit"}
