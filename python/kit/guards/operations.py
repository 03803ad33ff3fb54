"""Rules on the graph of a program, traced, scripted or adopted: what its operations do, and do not."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import torch

from kit.guards.evidence import Evidence
from kit.guards.finding import Finding
from kit.guards.graph import (
    Node,
    argument_names,
    base,
    computed_from,
    constant_argument,
    has_tag,
    may_have_tag,
    mutates,
    overloads,
    place_of_node,
    returned,
    tensor_inputs,
)
from kit.guards.origins import Tracer
from kit.source import Place

_TRAINS = {"train", "training", "is_training"}
_NORMS = {"aten::batch_norm", "aten::native_batch_norm", "aten::cudnn_batch_norm"}
_RECURRENT = {"aten::lstm", "aten::gru", "aten::rnn_tanh", "aten::rnn_relu"}


def python_function(evidence: Evidence) -> Iterator[Finding]:
    """A torch.autograd.Function, which is recorded as a call back into Python, or an operator that Python has
    defined, which no other process knows."""
    for kind, node in evidence.example.kinds:
        if kind == "prim::PythonOp":
            yield function_of_python(node.pyname(), place_of_node(node))
        elif not kind.startswith(("aten::", "prim::")) and _is_defined_in_python(kind):
            yield Finding(
                "python-function",
                f"the operator {kind} was defined in Python, and what loads the program does not know it",
                "call the function that it was made from",
                place_of_node(node),
                kind,
            )


def _is_defined_in_python(kind: str) -> bool:
    """Whether an operator comes from torch.library, and not from C++."""
    return any(name.partition(".")[0] == kind for name in torch.library._defs)


def function_of_python(name: str, place: Place | None) -> Finding:
    """The same, for one that is known."""
    return Finding(
        "python-function",
        f"the autograd function {name} is Python, which a program cannot hold",
        "call what its forward computes, as in eval mode: only training needs its backward",
        place,
        name,
    )


def large_number(evidence: Evidence) -> Iterator[Finding]:
    """A whole number that is too large for the 64 bits of TorchScript's, and that torch computes with all the
    same while it traces."""
    for kind, node in evidence.example.kinds:
        if kind == "prim::Constant" and node.output().type().kind() == "TensorType":
            value = node.output().toIValue()
            if isinstance(value, int) and value >= 1 << 63:
                yield Finding(
                    "fails",
                    f"the whole number {value} has no room in the 64 bits that a program has for it",
                    f"give it as a float, as {float(value)!r}",
                    place_of_node(node) or _place_of_use(node),
                )


def _place_of_use(node: Node) -> Place | None:
    return next((place_of_node(use.user) for use in node.output().uses()), None)


def training_mode(evidence: Evidence) -> Iterator[Finding]:
    """Operations that were recorded as in training: dropout that drops, norms that use the batch."""
    for kind, node in evidence.example.kinds:
        if _may_train(kind) and _trains(node):
            name = _name(node)
            yield Finding(
                "training-mode",
                f"{name} is recorded as in training: the program would go on dropping, or normalizing by the "
                "batch at hand",
                f"pass training=self.training to it, and use nn modules, which do: kit exports in eval mode; "
                f"or allow it: allow=['training-mode:{name}']",
                place_of_node(node),
                name,
            )


def random_operation(evidence: Evidence) -> Iterator[Finding]:
    """Operations that draw random numbers."""
    seeded = torch.Tag.nondeterministic_seeded
    for kind, node in evidence.example.kinds:
        if may_have_tag(kind, seeded) and has_tag(node, seeded) and not _trains(node) and _draws(node):
            name = _name(node)
            yield Finding(
                "random",
                f"{name} draws random numbers, so no two calls agree",
                f"make it an input, do without it in eval mode, or allow it: allow=['random:{name}']",
                place_of_node(node),
                name,
            )


def draws_random_numbers(evidence: Evidence) -> bool:
    """Whether an operation does: dropout in training does, and a norm in training does not."""
    trained = (kind for kind, node in evidence.example.kinds if _may_train(kind) and _trains(node))
    return any(kind not in _NORMS for kind in trained) or any(True for _ in random_operation(evidence))


def baked_device(evidence: Evidence) -> Iterator[Finding]:
    """A device that the code names: the program would go on using it, wherever it is loaded."""
    to_numpy = {event.place for event in evidence.example.events if event.word == "array"}
    for named in evidence.example.devices:
        if named.place in to_numpy:  # `.cpu().numpy()`, which is another rule's
            continue
        yield Finding(
            "baked-device",
            f"the device '{named.device}' is written into the code, and so into the program, wherever that "
            "is loaded",
            f"take it from an input, as x.device, or allow it: allow=['baked-device:{named.device}']",
            named.place,
            named.device,
        )


def unused_input(evidence: Evidence) -> Iterator[Finding]:
    """An input that no operation reads, and Python neither."""
    read = {name for event in evidence.example.events for name in event.origins.data}
    for name, value in zip(evidence.inputs, evidence.example.arguments, strict=True):
        if not value.uses() and name not in read:
            yield Finding(
                "unused-input",
                f"the input '{name}' does not reach any output: whatever is given for it changes nothing",
                f"leave it out of the example, or allow it: allow=['unused-input:{name}']",
                None,
                name,
            )


def constant_output(evidence: Evidence) -> Iterator[Finding]:
    """An output that comes from no input, nor from what Python took from one."""
    if any(event.origins.data and event.word != "bool" for event in evidence.example.events):
        return
    example = evidence.example
    inputs = dict(zip((value.unique() for value in example.arguments), evidence.inputs, strict=True))
    for name, value in zip(evidence.outputs, returned(example.graph), strict=False):
        # The first question is soon answered; the second knows of what was written through a view.
        if not computed_from(value, inputs) and not Tracer(example.graph, inputs).reaches_input(value):
            yield Finding(
                "constant-output",
                f"the output '{name}' depends on no input: it is the same for every call",
                f"leave it out of what the model returns, or allow it: allow=['constant-output:{name}']",
                place_of_node(value.node()) if value.node().kind() != "prim::Param" else None,
                name,
            )


def mutated(evidence: Evidence) -> Iterator[Finding]:
    """Operations that change an input, a parameter or a buffer in place."""
    graph = evidence.example.graph
    values = [value.unique() for value in tensor_inputs(graph)]
    inputs = dict(zip(values, evidence.inputs, strict=False))
    state = dict(zip(values[len(inputs) :], evidence.example.state, strict=True))
    for kind, node in evidence.example.kinds:
        if kind == "prim::SetAttr":
            name = node.s("name")
            yield Finding(
                "mutated-buffer",
                f"the program sets its attribute '{name}', so what it gives depends on the calls before",
                "take the state as an input and return the new one",
                place_of_node(node),
                name,
            )
        if not mutates(kind):
            continue
        target = base(node.inputsAt(0), surely=True)
        if target.unique() in inputs:
            name = inputs[target.unique()]
            yield Finding(
                "mutated-input",
                f"{_name(node)} changes the input '{name}' in place, and the caller's tensor with it",
                f"work on a copy, as {name.partition('.')[0]}.clone()",
                place_of_node(node),
                name,
            )
        elif target.unique() in state or target.node().kind() == "prim::GetAttr":
            name = state.get(target.unique()) or target.node().s("name")
            yield Finding(
                "mutated-buffer",
                f"{_name(node)} changes '{name}' in place, so the program depends on the calls before",
                "take the state as an input and return the new one, or leave it alone in eval mode",
                place_of_node(node),
                name,
            )


def _trains(node: Node) -> bool:
    """Whether the operation was recorded as in training, in a way that changes what it computes."""
    if not _may_train(node.kind()) or argument_names(node).isdisjoint(_TRAINS):
        return False
    if not any(_flag(node, name) is True for name in _TRAINS):
        return False
    kind = node.kind()
    if kind in _NORMS:
        # Without running statistics there is nothing else to normalize by, in training or not.
        return bool(node.inputsAt(3).type().kind() != "NoneType")
    if kind in _RECURRENT:
        return bool(constant_argument(node, "dropout"))
    return _chance(node)


@cache
def _may_train(kind: str) -> bool:
    return any(one.name in _TRAINS for overload in overloads(kind) for one in overload._schema.arguments)


def _draws(node: Node) -> bool:
    """Whether an operation that may be random is random here: dropout is not, outside of training."""
    kind = node.kind()
    if kind in _RECURRENT or any(_flag(node, name) is False for name in _TRAINS):
        return False
    return _chance(node)


def _flag(node: Node, name: str) -> bool | None:
    """Whether an argument says that the model is trained, if that is known."""
    flag = constant_argument(node, name)
    return flag if isinstance(flag, bool) else None


def _chance(node: Node) -> bool:
    """Whether the probability of dropping is not 0, or is not known."""
    for name in ("p", "dropout_p"):
        value = constant_argument(node, name)
        if value is not None:
            return bool(value)
    return True


def _name(node: Node) -> str:
    return str(node.kind()).rpartition("::")[2]
