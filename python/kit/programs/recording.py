"""Recording what a model does, for the guards: a graph, which costs a fraction of what a program does."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn
from torch.jit._trace import TracerWarning

from kit.binding import native
from kit.eager import Eager
from kit.guards.evidence import Trace
from kit.guards.graph import Graph, what_runs
from kit.guards.recorder import Recorder
from kit.programs.torchscript import flat_module, nested_call, trace_module, tracing
from kit.state import version_of

# Loops over a tensor show in the graph, and a tensor made of numbers is as good as where these came from.
_HARMLESS = ("Iterating over a tensor", "registered as constants in the trace")


def record(
    eager: Eager,
    tensors: Sequence[Tensor] | None = None,
    what: str = "the example",
    sizes: Mapping[str, int] | None = None,
    like: Trace | None = None,
    told_as: Callable[[Tensor], Tensor] | None = None,
) -> Trace:
    """Record the model on flat inputs, by default those of its example. Call it in evaluation mode, without
    gradients.

    The graph has the operations that a program of `kit.programs.torchscript.trace` has. Parameters and
    buffers are further inputs of it, unless parts of the model are TorchScript already.
    like: the trace of the example, if it is to be compared with that: no other events are noted.
    told_as: see `Recorder`.
    Raises TraceError if the model cannot be run so.
    """
    if eager.direct and isinstance(eager.module, torch.jit.ScriptModule):
        schema = eager.module._c._get_method("forward").schema
        arguments = schema.arguments[1 + len(eager.inputs) :]
        defaults = [argument.default_value for argument in arguments]
        whole = eager.module.inlined_graph
        return Trace(what_runs(whole, defaults), what, sizes or {}, recorded=whole)
    given = list(eager.inputs.values()) if tensors is None else tensors
    events, holders = (like.events, like.holders) if like is not None else (None, None)
    recorder = Recorder(eager.inputs, events, holders, told_as)
    recorded: Graph | None = None
    with _caught() as caught, tracing(eager.module, eager.name), recorder:
        if _is_plain(eager.module):
            state = dict(_state(eager.module))
            graph, outputs = _flat_graph(eager, given, list(state.values()))
        else:
            state, outputs = {}, None
            program = trace_module(flat_module([eager]), {"forward": given})
            recorded = program.inlined_graph
            graph = what_runs(recorded)
    lost = [
        (text.split(". ")[0], path, line)
        for text, path, line in caught
        if not any(harmless in text for harmless in _HARMLESS)
    ]
    return Trace(
        graph,
        what,
        sizes or {},
        recorder.events,
        warnings=lost,
        state=list(state),
        conversions=recorder.conversions,
        texts=recorder.texts,
        outputs=outputs,
        holders=recorder.holders,
        recorded=recorded,
    )


@contextmanager
def _caught() -> Iterator[list[tuple[str, str, int]]]:
    """What torch's tracer warns of in this thread, and where. What else the model warns of, eager said."""
    caught: list[tuple[str, str, int]] = []
    thread = get_ident()
    with warnings.catch_warnings():
        show = warnings.showwarning

        def note(
            message: Warning | str, category: type[Warning], path: str, line: int, *others: Any, **more: Any
        ) -> None:
            if get_ident() != thread:
                show(message, category, path, line, *others, **more)
            elif issubclass(category, TracerWarning):
                caught.append((str(message), path, line))

        warnings.simplefilter("always")
        setattr(warnings, "showwarning", note)  # noqa: B010
        yield caught


def _flat_graph(
    eager: Eager, given: Sequence[Tensor], state: Sequence[Tensor]
) -> tuple[Graph, list[Tensor] | None]:
    """The graph of one call, and what it returned. The graph is without the names of variables, which cost as
    much as all else."""
    outputs = None

    def call(*tensors: Tensor) -> Any:
        nonlocal outputs
        result = nested_call(eager, tensors[: len(given)])
        outputs = eager.known_output(result)
        return tuple(eager.flat_output(result))

    copies = [tensor.clone() for tensor in given]
    versions = [version_of(tensor) for tensor in copies]
    inputs = (*copies, *state)
    try:
        with native.StackNotes():
            graph = torch._C._create_graph_by_tracing(call, inputs, _unnamed, True, False, None, [])[0]
    finally:
        changed = eager.restore_buffers()
    if changed or [version_of(tensor) for tensor in copies] != versions:
        outputs = None
    torch._C._jit_pass_dce(graph)
    torch._C._jit_pass_constant_pooling(graph)  # type: ignore[attr-defined]
    return graph, outputs


def _unnamed(tensor: Tensor) -> str:
    return ""


def _is_plain(module: nn.Module | None) -> bool:
    """Whether a module is Python throughout. What is TorchScript needs a program around it to be traced."""
    parts = module.modules() if module is not None else ()
    return not any(
        isinstance(value, (torch.jit.ScriptModule, torch.ScriptObject))
        for part in parts
        for value in (part, *vars(part).values())
    )


def _state(module: nn.Module | None) -> Iterator[tuple[str, Tensor]]:
    """The tensors that a module holds, each once: parameters, buffers and plain attributes."""
    seen: set[int] = set()
    for path, part in module.named_modules() if module is not None else ():
        for name, value in (*part._parameters.items(), *part._buffers.items(), *vars(part).items()):
            if isinstance(value, Tensor) and id(value) not in seen:
                seen.add(id(value))
                yield f"{path}.{name}" if path else name, value
