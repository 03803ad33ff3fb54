"""A TorchScript program that also returns what each of its submodules returned.

The graph of a method is copied and the submodules' methods are inlined into it one by one, each of their
results becoming an output besides those of the model. Differences in it are those of the program as it runs:
every submodule gets what the ones before it gave. The operations are the program's own; a fuser may group
them in another way, as values that it could have kept to itself are outputs here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from kit.method import FORWARD

_FORWARD = re.compile(r"forward\d*")  # a module that is called again has a forward1, and so on
_PLAIN = ("NoneType", "IntType", "FloatType", "BoolType", "StringType", "NumberType", "DeviceObjType")
_OPTIONAL = """def optional(x: Optional[Tensor]) -> Optional[Tensor]:
    return x.clone() if x is not None else None
"""
_IN_BLOCK = "it is called in a branch, a loop or a fork, out of which nothing can be taken"


@dataclass(frozen=True)
class Call:
    """One call of a submodule. path: as "encoder.layer.1". index: how many calls of it came before."""

    path: str
    index: int


@dataclass(frozen=True)
class Results:
    """What one run gave: what the program returns, what its submodules returned, and what one was given."""

    outputs: Any
    returned: dict[Call, Any]
    given: list[Any]


@dataclass
class Instrumented:
    """A program whose submodules can be looked at.

    calls: the calls whose results are to be had, in the order of the graph. unseen: why there is none, by
    path. arguments: how many the call has whose arguments are to be had, too.
    """

    program: torch.jit.ScriptModule
    calls: list[Call] = field(default_factory=list)
    unseen: dict[str, str] = field(default_factory=dict)
    arguments: int = 0
    _function: Any = None

    def run(self, inputs: Sequence[Tensor]) -> Results:
        """Run it. Values are copied right where they are made, before anything can change them in place.

        The inputs are not changed. A submodule of which nothing is used any more returns None, and one of
        which a part is used returns this part, in the order of its use.
        """
        with torch.no_grad():
            results = self._function(self.program._c, *[tensor.clone() for tensor in inputs])
        outputs, *values = results
        count = len(values) - self.arguments
        return Results(outputs, dict(zip(self.calls, values[:count], strict=True)), values[count:])


def instrument(
    program: torch.jit.ScriptModule, method: str = FORWARD, arguments_of: Call | None = None
) -> Instrumented:
    """Make the results of all submodules outputs of a method, and the arguments of one call of one, too.

    The program itself stays as it is.
    """
    result = Instrumented(program)
    graph = program._c._get_method(method).graph.copy()
    given: list[Any] = []
    times: dict[str, int] = {}
    waiting = list(graph.nodes())[::-1]
    while waiting:
        node = waiting.pop()
        for path in _called_in_blocks(node):
            result.unseen[path] = _IN_BLOCK
        called = _method(program, node)
        if called is None:
            continue
        path, name, callee = called
        call = None
        if path and _FORWARD.fullmatch(name):
            call = Call(path, times.get(path, 0))
            times[path] = call.index + 1
            if call == arguments_of:
                copies = [_insert_copy(graph, node, value) for value in list(node.inputs())[1:]]
                given = [copy for copy in copies if copy is not None]
        added, value = _inline(graph, node, callee.graph)
        if call is not None:
            copied = _insert_copy(graph, node, value)
            if copied is None:
                result.unseen[path] = f"it returns a {value.type()}, which cannot be copied"
            else:
                graph.registerOutput(copied)
                result.calls.append(call)
        node.destroy()
        waiting.extend(added)
    for value in given:
        graph.registerOutput(value)
    result.arguments = len(given)
    graph.makeMultiOutputIntoTuple()
    graph.lint()
    result._function = torch._C._create_function_from_graph("instrumented", graph)
    return result


def _inline(graph: Any, node: Any, callee: Any) -> tuple[list[Any], Any]:
    """Put the callee's nodes before the call, which is left without uses; the nodes are given last first."""
    before = node.prev()
    graph.setInsertPoint(node)
    (value,) = graph.insertGraph(callee, list(node.inputs()))
    node.output().replaceAllUsesWith(value)
    added = []
    last = node.prev()
    while last != before:
        added.append(last)
        last = last.prev()
    return added, value


def _insert_copy(graph: Any, node: Any, value: Any) -> Any:
    """A copy of the value, taken before the node; the value itself if there is no tensor in it; None if it
    cannot be copied."""
    expression = _copy("x", value.type())
    if expression is None or expression == "x":
        return value if expression else None
    text = f"{_OPTIONAL}\ndef copied(x: {_annotation(value.type())}):\n    return {expression}\n"
    graph.setInsertPoint(node)
    # Inlined, for a graph does not keep alive the functions that it calls.
    (copied,) = graph.insertGraph(torch.jit.CompilationUnit(text).copied.inlined_graph, [value])
    return copied


def _copy(name: str, kind: Any, depth: int = 0) -> str | None:
    """TorchScript that copies the tensors of a value; the name itself where there are none.

    None for what is no nest of tensors and constants.
    """
    item = f"x{depth}"
    what = kind.kind()
    if what == "TensorType":
        return f"{name}.clone()"
    if what in _PLAIN:
        return name
    if what == "TupleType":
        parts = [_copy(f"{name}[{index}]", part, depth) for index, part in enumerate(kind.elements())]
        if None in parts:
            return None
        return f"({', '.join(map(str, parts))},)" if parts else name
    if what == "OptionalType":
        return f"optional({name})" if kind.getElementType().kind() == "TensorType" else None
    if what == "ListType":
        part = _copy(item, kind.getElementType(), depth + 1)
        return None if part is None else f"[{part} for {item} in {name}]"
    if what == "DictType":
        part = _copy(f"{name}[{item}]", kind.getValueType(), depth + 1)
        return None if part is None else f"{{{item}: {part} for {item} in {name}}}"
    return None


def _annotation(kind: Any) -> str:
    """The type as TorchScript code; a named tuple as a plain one, which has the same elements."""
    what = kind.kind()
    if what == "TupleType":
        return f"Tuple[{', '.join(map(_annotation, kind.elements())) or '()'}]"
    if what == "OptionalType":
        return f"Optional[{_annotation(kind.getElementType())}]"
    if what == "ListType":
        return f"List[{_annotation(kind.getElementType())}]"
    if what == "DictType":
        return f"Dict[{_annotation(kind.getKeyType())}, {_annotation(kind.getValueType())}]"
    return str(kind.annotation_str)


def _method(program: torch.jit.ScriptModule, node: Any) -> tuple[str, str, Any] | None:
    """Path of the module, name of the method and the method, if the node calls one of a module."""
    if node.kind() != "prim::CallMethod":
        return None
    path = _path(node.inputsAt(0))
    if path is None:
        return None
    module: Any = program
    for name in path.split(".") if path else ():
        module = getattr(module, name, None)
    if not isinstance(module, torch.jit.ScriptModule):
        return None  # an object of a class of TorchScript
    name = node.s("name")
    return path, name, module._c._get_method(name)


def _path(value: Any) -> str | None:
    """The attributes that lead from the program to a value; None if it comes from elsewhere."""
    names: list[str] = []
    while value.node().kind() == "prim::GetAttr":
        names.append(value.node().s("name"))
        value = value.node().inputsAt(0)
    if value.node().kind() != "prim::Param":
        return None
    return ".".join(reversed(names))


def _called_in_blocks(node: Any) -> Iterator[str]:
    """Paths of the submodules that are called somewhere inside a node."""
    for block in node.blocks():
        for inner in block.nodes():
            if inner.kind() == "prim::CallMethod" and _FORWARD.fullmatch(inner.s("name")):
                path = _path(inner.inputsAt(0))
                if path:
                    yield path
            yield from _called_in_blocks(inner)
